// @vitest-environment jsdom
import { beforeEach, expect, test, vi } from 'vitest';
import { ApiError } from '$lib/api';
import { Form } from './form.svelte';

let text = '';
let fails: unknown = null;
const send = vi.fn(async () => {
  if (fails) throw fails;
});
const refusal = (reason: string, fields?: Record<string, string>) =>
  new ApiError({ code: 'bad_request', reason, message: '', ...(fields ? { fields } : {}) }, 422);

const form = () => new Form({ check: () => ({ name: !text && 'A name, please.', slug: '' }), send });

/** Sends it as a page would, and gives the element that has the focus then. */
async function submit(one: ReturnType<typeof form>, html = ''): Promise<Element | null> {
  const element = document.createElement('form');
  element.innerHTML = `${html}<button></button>`;
  document.body.replaceChildren(element);
  element.querySelector('button')?.focus();
  let sent: Promise<void> | undefined;
  element.addEventListener('submit', (event) => (sent = one.submit(event)));
  element.dispatchEvent(new SubmitEvent('submit', { cancelable: true }));
  await sent;
  return document.activeElement;
}

beforeEach(() => {
  text = '';
  fails = null;
  send.mockClear();
  Element.prototype.scrollIntoView = vi.fn();
});

test('nothing is said before the form is sent, then what is missing, and nothing is asked of the hub', async () => {
  const one = form();
  expect(one.wrong('name')).toBeUndefined();
  await submit(one);
  expect(one.wrong('name')).toBe('A name, please.');
  expect(one.wrong('slug')).toBeUndefined();
  expect(send).not.toHaveBeenCalled();
});

test('the focus goes to the first field that is wrong, also when it was there', async () => {
  const html = '<input id="fine"><input id="first" aria-invalid="true"><input aria-invalid="true">';
  expect((await submit(form(), html))?.id).toBe('first');
});

test('what is said of the whole form is brought into view', async () => {
  text = 'Ana';
  fails = refusal('too_many');
  const one = form();
  expect((await submit(one, '<p role="alert"></p>'))?.tagName).toBe('BUTTON');
  expect(Element.prototype.scrollIntoView).toHaveBeenCalledOnce();
  expect(one.problem).not.toBe('');
});

test('a refusal stands beside the field that it is about', async () => {
  text = 'Ana';
  fails = refusal('slug_taken');
  const one = form();
  await submit(one);
  expect(one.wrong('slug')).toMatch(/taken/);
  expect([one.problem, one.busy]).toEqual(['', false]);
});

test('a refusal about a field that the form does not show is told as its problem', async () => {
  text = 'Ana';
  const one = form();
  for (fails of [refusal('invite_ended'), refusal('fields_invalid', { lang: 'no tag' })]) {
    await submit(one);
    expect(one.problem).not.toBe('');
  }
});

test('after it went well nothing is missing, though its fields are empty again', async () => {
  text = 'Ana';
  const one = form();
  await submit(one);
  text = '';
  expect(send).toHaveBeenCalledOnce();
  expect(one.wrong('name')).toBeUndefined();
});

test('a second press while it is under way does nothing', async () => {
  text = 'Ana';
  const one = form();
  await Promise.all([submit(one), submit(one)]);
  expect(send).toHaveBeenCalledOnce();
});
