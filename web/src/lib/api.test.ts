import { describe, expect, it } from 'vitest';
import { ApiError, createApi } from './api';

function answering(status: number, body: unknown, headers: Record<string, string> = {}) {
  const calls: { path: string; init: RequestInit }[] = [];
  const api = createApi(async (path, init = {}) => {
    calls.push({ path: String(path), init });
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return new Response(status === 204 ? null : text, { status, headers });
  });
  return { api, calls };
}

async function refusal(call: Promise<unknown>): Promise<ApiError> {
  const error: unknown = await call.then(() => null).catch((caught: unknown) => caught);
  if (!(error instanceof ApiError)) throw new Error('it was not refused');
  return error;
}

describe('the HTTP interface', () => {
  it('puts ids, handles and queries into paths safely', async () => {
    const { api, calls } = answering(200, { items: [] });
    await api.findPeople('a&b=c');
    await api.setRole(5, '../x', 'owner');
    await api.group('lung-cancer');
    await api.channels();
    expect(calls.map(({ path }) => path)).toEqual([
      '/api/v1/people?q=a%26b%3Dc',
      '/api/v1/groups/5/members/..%2Fx',
      '/api/v1/groups/lung-cancer',
      '/api/v1/channels',
    ]);
    expect(calls[1]?.init).toMatchObject({ method: 'PUT', body: '{"role":"owner"}' });
  });

  it('takes an answer without a body', async () => {
    expect(await answering(204, null).api.signOut()).toBeNull();
  });

  it('throws what the hub refused, with its reason, fields and facts', async () => {
    const error = {
      code: 'bad_request',
      reason: 'fields_invalid',
      message: 'm',
      fields: { handle: 'short' },
    };
    const { api } = answering(422, { error });
    expect(await refusal(api.hub())).toMatchObject({ ...error, status: 422 });
  });

  it('knows how long to wait from the header too', async () => {
    const error = { code: 'rate_limited', reason: 'too_fast', message: 'm' };
    const { api } = answering(429, { error }, { 'retry-after': '7' });
    expect((await refusal(api.hub())).retry_after_ms).toBe(7000);
  });

  it('makes a fault of what a proxy says in its place', async () => {
    expect(await refusal(answering(502, '<html>').api.hub())).toMatchObject({
      code: 'unavailable',
      status: 502,
    });
    expect(await refusal(answering(404, '').api.hub())).toMatchObject({ code: 'not_found' });
  });

  it('says offline when nothing answers', async () => {
    const api = createApi(() => Promise.reject(new TypeError('failed')));
    expect(await refusal(api.me())).toMatchObject({ code: 'offline', status: 0 });
  });
});
