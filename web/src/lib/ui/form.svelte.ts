// One way for every form: what is missing or wrong is said beside its field, what the hub refuses too, and the focus goes
// to the first field that needs it. What belongs to no field of the form is its `problem`, so nothing fails in silence.
import { tick } from 'svelte';
import { fieldsOf, wordsOf } from './faults';

type Words = string | false | null | undefined;

interface Parts<Name extends string> {
  /** Every field that is shown, by name, with what is wrong with what stands in it. */
  check: () => Partial<Record<Name, Words>>;
  send: () => unknown;
  /** Words of the form's own for a refusal: by field, or for the whole form; undefined leaves it to `faults`. */
  refusal?: (error: unknown) => Partial<Record<Name, string>> | string | undefined;
}

export class Form<Name extends string = never> {
  busy = $state(false);
  private tried = $state(false);
  private fault: unknown = $state.raw(null);
  private readonly parts: Parts<Name>;
  private readonly checked = $derived.by(() => this.parts.check());
  private readonly refused = $derived.by(() => this.look());
  /** What went wrong and is about no field. */
  readonly problem = $derived.by(() => this.refused.problem);

  constructor(parts: Parts<Name>) {
    this.parts = parts;
  }

  /** What to say beside a field, once the form was sent. */
  wrong(name: Name): string | undefined {
    return (this.tried && this.checked[name]) || this.refused.fields[name] || undefined;
  }

  readonly submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    if (this.busy) return;
    this.tried = true;
    this.fault = null;
    if (!Object.values(this.checked).some(Boolean)) await this.carryOut();
    await tick();
    lead(form);
  };

  private async carryOut(): Promise<void> {
    this.busy = true;
    try {
      await this.parts.send();
      this.tried = false;
    } catch (error) {
      this.fault = error;
    } finally {
      this.busy = false;
    }
  }

  private look(): { fields: Partial<Record<Name, string>>; problem: string } {
    if (!this.fault) return { fields: {}, problem: '' };
    const own = this.parts.refusal?.(this.fault);
    if (typeof own === 'string') return { fields: {}, problem: own };
    const fields = own ?? (fieldsOf(this.fault) as Partial<Record<Name, string>>);
    const isShown = Object.keys(fields).some((name) => name in this.checked);
    return { fields, problem: isShown ? '' : wordsOf(this.fault) };
  }
}

/** To the first field that is wrong, else to what is said of the whole form. */
function lead(form: HTMLFormElement): void {
  const first = form.querySelector<HTMLElement>('[aria-invalid="true"]');
  if (!first) return form.querySelector('[role="alert"]')?.scrollIntoView({ block: 'nearest' });
  if (first === document.activeElement) first.blur(); // a screen reader says again what it is focused on anew
  first.focus();
}
