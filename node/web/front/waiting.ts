import type { Standing } from '../../core/standing.ts';
import type { Partial } from '../live.ts';
import type { AwayBanner } from '../models/front.ts';
import { machineView, type MachineView } from '../models/machine.ts';
import { standingView, type StandingFacts, type StandingView } from '../models/standing.ts';
import { refuse } from '../errors.ts';
import { safeBack } from '../routes.ts';
import type { FrontCtx, FrontWeb } from './app.ts';
import type { StreamView } from './stream.ts';

/** In place of the dashboard while nobody is reached who could make it: what is the matter, and what happens next. */
export async function waiting(web: FrontWeb, c: FrontCtx): Promise<Response> {
  const { path } = c.req;
  if (path === '/events' && c.req.method === 'GET') return stream(web, c, 'away', false);
  if (path.startsWith('/static/')) throw refuse('not-found');
  const view = standing(web);
  const changes = c.req.method !== 'GET' && c.req.method !== 'HEAD';
  const unsaved = changes ? lost(c) : '';
  c.header('Retry-After', '2');
  if (path.startsWith('/api/')) {
    const message = `${view.title}. ${unsaved || view.says[0]}`;
    return c.json(
      { error: { status: 503, code: NO_COORDINATOR, message, todo: 'Try again in a few seconds.', requestId: c.get('requestId') } },
      503,
    );
  }
  if (path === '/metrics') return c.text(`${view.title}. ${view.says[0]}\n`, 503);
  if (c.req.header('hx-request') === 'true') {
    // a header, because htmx leaves the body of a 503 alone; page.js shows it
    c.header('X-Says', encodeURIComponent(`${view.title}. ${unsaved || view.says[0]}`));
    return c.text('', 503);
  }
  const acts = (await web.door.of(c)).may === 'act';
  return web.page(c, {
    title: view.title,
    view: 'front/waiting',
    model: { standing: changes || !acts ? withoutOffers(view) : view, unsaved, backHref: backOf(c), acts },
    here: 'waiting',
    // the answer to a form must not load itself again: the browser would send the form again
    live: changes ? null : 'waiting',
    status: 503,
  });
}

/** What can be done is not even shown to somebody who may not do it. */
function withoutOffers(view: StandingView): StandingView {
  return { ...view, offers: [] };
}

export function stream(web: FrontWeb, c: FrontCtx, view: StreamView, acts: boolean): Response {
  const body = web.streams.open(view, { csrf: c.get('csrf') ?? '', signal: c.req.raw.signal, acts });
  if (!body) throw refuse('too-many');
  return c.body(body, 200, { 'Content-Type': 'text/event-stream; charset=utf-8', 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' });
}

export function renderPart(web: FrontWeb, view: StreamView, acts: boolean): Partial[] {
  if (view === 'away') {
    return [{ target: 'banner', swap: 'innerMorph', html: web.render('front/_away', awayBanner(standing(web), web.parts.standing())) }];
  }
  if (view === 'waiting')
    return [
      {
        target: 'standing',
        swap: 'innerMorph',
        html: web.render('front/_standing', { standing: acts ? standing(web) : withoutOffers(standing(web)) }),
      },
    ];
  return [{ target: 'machine', swap: 'innerMorph', html: web.render('front/_machine', { machine: machine(web, acts) }) }];
}

/** Only a member's page goes on by itself; whoever was removed, or left, looks at what was. */
function awayBanner({ title, says }: StandingView, { state }: Standing): AwayBanner {
  if (state !== 'member' && state !== 'starting') return { title, says: `${says[0]} What is shown here is from before.` };
  return { title, says: 'Films that are being encoded go on. What is shown here is as of a moment ago; it goes on by itself.' };
}

export function facts({ parts, reach }: FrontWeb): StandingFacts & { node: FrontWeb['parts']['node'] } {
  return {
    standing: parts.standing(),
    node: parts.node,
    reached: reach.way().kind !== 'nowhere',
    away: reach.away(),
    neighbours: parts.actions.neighbours(),
    now: new Date(),
  };
}

export function machine(web: FrontWeb, acts: boolean): MachineView {
  const view = machineView({ ...facts(web), surroundings: web.parts.surroundings() });
  return acts ? view : { ...view, standing: withoutOffers(view.standing), clusters: [] };
}

function standing(web: FrontWeb): StandingView {
  return standingView(facts(web));
}

function lost(c: FrontCtx): string {
  return c.env.note?.trouble?.sent
    ? 'It is not known whether this was still done: the answer never came. Look at the page before doing it again.'
    : 'Nothing was changed.';
}

function backOf(c: FrontCtx): string {
  try {
    const from = new URL(c.req.header('referer') ?? '');
    return safeBack(from.pathname + from.search, '/');
  } catch {
    return '/';
  }
}

/** of an API error, as the other codes of web/errors.ts; not a reason of a file */
const NO_COORDINATOR = 'no-coordinator';
