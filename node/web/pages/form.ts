import type { Ctx } from '../web.ts';

/** The fields of a posted form as text; uploads are dropped, repeated names are kept in order. */
export async function readForm(c: Ctx): Promise<URLSearchParams> {
  const body = await c.req.parseBody({ all: true }).catch(() => ({}) as Record<string, unknown>);
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(body)) {
    for (const each of Array.isArray(value) ? value : [value]) if (typeof each === 'string') form.append(name, each);
  }
  return form;
}

export function queryOf(c: Ctx): URLSearchParams {
  return new URL(c.req.url).searchParams;
}
