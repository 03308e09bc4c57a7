import type { Hono } from 'hono';
import type { ClusterName } from '../../core/standing.ts';
import { PlainError } from '../../errors.ts';
import { refuse } from '../errors.ts';
import { leaveView, type MachinePage } from '../models/machine.ts';
import { clustersAround } from '../models/standing.ts';
import { url } from '../routes.ts';
import type { FrontCtx, FrontEnv, FrontWeb } from './app.ts';
import { machine, stream } from './waiting.ts';

/** `/node`: this machine as it sees itself and what is around it, and what a person may do about it. */
export function registerMachine(app: Hono<FrontEnv>, web: FrontWeb): void {
  const { parts, door } = web;

  app.get('/api/v1/node', async (c) => {
    if ((await door.of(c)).may === 'nothing') throw refuse('no-token', 'This needs the command line of this machine.');
    return c.json({
      node: parts.node,
      standing: parts.standing(),
      surroundings: parts.surroundings(),
      reached: web.reach.way().kind !== 'nowhere',
    });
  });
  // not even an admin of the cluster: whoever ends a program has to be able to start it again
  app.post('/api/v1/node/stop', async (c) => {
    if (c.env.visitor?.asks !== 'cli') throw refuse('not-allowed', 'Only the command line of this machine may stop it.');
    const how = await howToStop(c);
    await parts.actions.stop(how);
    return c.json({ stopping: how ?? 'as started' }, 202);
  });
  app.get('/node', async (c) => {
    const now = await door.of(c);
    if (now.may === 'nothing') return c.redirect(now.reached ? url.signInPage(url.machine()) : url.machineToken(), 303);
    return show(c, { address: '', problem: '' });
  });
  app.get('/node/events', async (c) => {
    const { may } = await door.of(c);
    if (c.req.query('view') === 'waiting') return stream(web, c, 'waiting', may === 'act');
    return may === 'nothing' ? c.text('', 401) : stream(web, c, 'node', may === 'act');
  });

  app.get('/node/token', (c) => ask(c, '', 200));
  app.post('/node/token', async (c) => {
    const problem = door.enter(c, (await fields(c)).token);
    return problem ? ask(c, problem, 403) : c.redirect(url.machine(), 303);
  });
  // every form below this line
  app.use('/node/*', async (c, next) => {
    if (c.req.method !== 'GET' && c.req.method !== 'HEAD') await door.mustAct(c);
    await next();
  });

  app.post('/node/ask', async (c) => {
    const { cluster } = await fields(c);
    return web.act(c, async () => {
      const chosen = cluster === '' ? null : known(cluster);
      await parts.actions.askAgain(chosen?.id ?? null);
      return chosen ? `Asking ${chosen.name}.` : 'Asking again.';
    });
  });
  app.post('/node/own', (c) =>
    web.act(c, async () => {
      await parts.actions.foundOwn();
      return 'This machine starts a cluster of its own.';
    }),
  );
  app.post('/node/peers', async (c) => {
    const address = (await fields(c)).address.trim();
    if (!isAddress(address)) {
      const problem = 'Write a name or a number with a port, for example 192.168.1.20:8266 or [fd00::20]:8266.';
      return show(c, { address: address.slice(0, 300), problem }, 422);
    }
    return web.act(c, async () => {
      await parts.actions.addPeer(address);
      return `${address} is tried from now on. What comes of it is in the list of machines.`;
    });
  });

  app.get('/node/leave', async (c) => {
    const now = await door.of(c);
    if (now.may !== 'act') return c.redirect(url.machine(), 303);
    return now.proved ? leave(c) : c.redirect(url.prove(url.machineLeave(c.req.query('cluster') ?? null)), 303);
  });
  const leave = (c: FrontCtx): Response => question(c, known(c.req.query('cluster') ?? ''), '');
  app.post('/node/leave', async (c) => {
    const now = await door.of(c);
    if (now.may !== 'act' || !now.proved) return c.redirect(url.prove(url.machine()), 303);
    const { cluster, confirm } = await fields(c);
    const to = known(cluster);
    const name = own()?.name.trim();
    if (keepsBooks() && confirm.trim() !== name) return question(c, to, `This is not its name. Type ${name}, or stay.`);
    return web.act(c, async () => {
      await parts.actions.leaveAndJoin(to.id);
      return `This machine asks to join ${to.name}.`;
    });
  });

  function ask(c: FrontCtx, problem: string, status: 200 | 403): Response {
    const model = { nodeName: parts.node.name, problem };
    return web.page(c, { title: 'This machine', view: 'front/token', model, here: 'waiting', live: null, status });
  }

  async function show(c: FrontCtx, form: Pick<MachinePage, 'address' | 'problem'>, status: 200 | 422 = 200): Promise<Response> {
    const acts = (await door.of(c)).may === 'act';
    return web.page(c, {
      title: 'This machine',
      view: 'front/machine',
      model: { machine: machine(web, acts), acts, ...form },
      here: 'machine',
      live: 'node',
      status,
    });
  }

  function question(c: FrontCtx, to: ClusterName, problem: string): Response {
    const model = leaveView({ from: own(), to, nodeName: parts.node.name, keepsBooks: keepsBooks(), problem });
    return web.page(c, { title: 'This machine', view: 'front/leave', model, here: 'machine', live: null, status: problem ? 422 : 200 });
  }

  function own(): ClusterName | null {
    const standing = parts.standing();
    return standing.state === 'member' ? standing.cluster : null;
  }

  function keepsBooks(): boolean {
    const standing = parts.standing();
    return standing.state === 'member' && standing.hosts === 'embedded';
  }

  /** Only a cluster that is around, or the one that this machine already asked. */
  function known(id: string): ClusterName {
    const standing = parts.standing();
    const asked = 'cluster' in standing && standing.cluster?.id === id ? standing.cluster : null;
    const found =
      clustersAround(parts.actions.neighbours(), own()?.id ?? null).find((c) => c.id === id) ??
      (standing.state === 'member' ? null : asked);
    if (!found) throw refuse('not-found', 'This cluster is not heard any more.');
    return found;
  }
}

async function howToStop(c: FrontCtx): Promise<'cancel' | 'finish' | null> {
  const { how = null } = (await c.req.json().catch(() => ({}))) as { how?: unknown };
  if (how === null || how === 'cancel' || how === 'finish') return how;
  throw new PlainError('how must be "cancel" or "finish".');
}

async function fields(c: FrontCtx): Promise<Record<'cluster' | 'confirm' | 'address' | 'token', string>> {
  const body = await c.req.parseBody().catch(() => {
    throw new PlainError('The form could not be read.');
  });
  const text = (name: string): string => (typeof body[name] === 'string' ? body[name] : '');
  return { cluster: text('cluster'), confirm: text('confirm'), address: text('address'), token: text('token') };
}

/** host:port, [IPv6]:port, or a multiaddr. */
export function isAddress(text: string): boolean {
  if (text.length > 300) return false;
  if (/^(\/[\w.:-]+){2,16}$/.test(text)) return true;
  const port = /^(?:[a-z0-9_](?:[a-z0-9._-]{0,252})|\[[0-9a-f:.]{2,45}(?:%[\w.-]{1,20})?\]):(\d{1,5})$/i.exec(text)?.[1];
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535;
}
