// Which numbers of a channel are known: disjoint spans in rising order, both ends included. Two spans that
// touch become one.
import type { Seq } from './wire';

export interface Span {
  from: Seq;
  to: Seq;
}

/** The spans with one more; a span whose `from` is beyond its `to` is empty and adds nothing. */
export function withSpan(spans: readonly Span[], { from, to }: Span): Span[] {
  if (from > to) return [...spans];
  const touching = spans.filter((span) => span.from <= to + 1 && span.to >= from - 1);
  const joined = {
    from: Math.min(from, ...touching.map((span) => span.from)),
    to: Math.max(to, ...touching.map((span) => span.to)),
  };
  const apart = spans.filter((span) => !touching.includes(span));
  return [...apart, joined].sort((a, b) => a.from - b.from);
}

/** The spans without what is below `first`. */
export function since(spans: readonly Span[], first: Seq): Span[] {
  return spans
    .filter((span) => span.to >= first)
    .map((span) => ({ ...span, from: Math.max(span.from, first) }));
}

export function spanAt(spans: readonly Span[], seq: Seq): Span | undefined {
  return spans.find((span) => span.from <= seq && seq <= span.to);
}
