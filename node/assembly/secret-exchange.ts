import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  randomBytes,
  type KeyObject,
} from 'node:crypto';
import { readExchanges, writeExchange, writeWrapped, type Exchange, type ExchangeRow, type Wrapped } from '../db/candidates.ts';
import { readSecretId } from '../db/cluster.ts';
import type { Database } from '../db/connect.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { isSignedByNode, signAsNode } from '../mesh/identity.ts';
import { keyId, type SecretKey } from '../sealed.ts';

/**
 * Every machine that may coordinate needs the key of stored sign-ins, and the database, which all of them share, must
 * never hold it. So it passes through the database wrapped for one machine alone:
 *
 *   lacks it ──publishes an X25519 key of this process, signed as this machine──▶ its row in `candidates`
 *   has it ───a member asks, and signed itself? ──▶ wraps the key for exactly that key, signed as this machine ──▶ that row
 *   lacks it ──from a member, for me, the very key that the cluster uses? ──▶ into its file
 *
 * Who reads the database learns nothing from that. Who writes it can ask, but not as a member: a member's id is its public key.
 */
export interface SecretExchange {
  start(): void;
  stop(): Promise<void>;
  /** one look at the database: asks, hands out, or takes. True when the key came */
  round(): Promise<boolean>;
}

export interface ExchangeParts {
  db: Database;
  self: string;
  /** of this machine (mesh/identity.ts) */
  nodeKey: Uint8Array;
  cluster: string;
  isMember: (node: string) => boolean;
  key: SecretKey;
  log: Log;
  everyMs?: number;
}

const ASK = 'codecshift secret exchange';
const HAND = 'codecshift secret handed';

export function createSecretExchange(parts: ExchangeParts): SecretExchange {
  const { db, self, cluster, key, log } = parts;
  const own = generateKeyPairSync('x25519');
  const ownPublic = rawOf(own.publicKey);
  let timer: NodeJS.Timeout | undefined;
  let turn: Promise<unknown> = Promise.resolve();
  let complaint = '';
  let stopped = false;

  return {
    start() {
      timer = setInterval(() => {
        turn = turn.then(guarded);
      }, parts.everyMs ?? 5000);
      timer.unref();
    },
    async stop() {
      stopped = true;
      clearInterval(timer);
      await turn;
    },
    round,
  };

  async function guarded(): Promise<void> {
    if (stopped) return;
    try {
      await round();
      complaint = '';
    } catch (error) {
      if (complaint !== messageOf(error)) log.info({ why: messageOf(error) }, 'the key of stored sign-ins could not be exchanged yet');
      complaint = messageOf(error);
    }
  }

  async function round(): Promise<boolean> {
    const wanted = await readSecretId(db);
    if (wanted === null) return false;
    const rows = await readExchanges(db);
    const mine = rows.find((row) => row.nodeId === self);
    if (key.id() === wanted) {
      if (mine) await writeExchange(db, self, null);
      for (const row of rows) if (row.nodeId !== self) await handOut(row, wanted);
      return false;
    }
    if (mine?.exchange?.publicKey !== ownPublic) await writeExchange(db, self, ask());
    else if (mine.wrapped) return take(mine.wrapped, wanted);
    return false;
  }

  function ask(): Exchange {
    return { publicKey: ownPublic, signature: signAsNode(parts.nodeKey, ASK, `${cluster} ${self} ${ownPublic}`) };
  }

  async function handOut({ nodeId, exchange, wrapped }: ExchangeRow, id: string): Promise<void> {
    if (!exchange || (wrapped?.to === exchange.publicKey && wrapped.id === id)) return;
    const { publicKey, signature } = exchange;
    if (!parts.isMember(nodeId) || !isSignedByNode(nodeId, ASK, `${cluster} ${nodeId} ${publicKey}`, signature)) return;
    if (await writeWrapped(db, nodeId, wrap(publicKey, nodeId, id)))
      log.info({ to: nodeId }, 'another machine that may coordinate was given the key of stored sign-ins');
  }

  function wrap(to: string, node: string, id: string): Wrapped {
    const once = generateKeyPairSync('x25519');
    const publicKey = rawOf(once.publicKey);
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', shared(once.privateKey, to, [publicKey, to]), iv).setAAD(
      Buffer.from(`${cluster} ${node} ${id}`),
    );
    const body = Buffer.concat([cipher.update(key.master()!), cipher.final()]);
    const box = [iv, body, cipher.getAuthTag()].map((part) => part.toString('base64url')).join('.');
    const signature = signAsNode(parts.nodeKey, HAND, `${cluster} ${node} ${to} ${id} ${publicKey} ${box}`);
    return { to, from: self, id, publicKey, box, signature };
  }

  async function take(wrapped: Wrapped, wanted: string): Promise<boolean> {
    const { to, from, id, publicKey, box, signature } = wrapped;
    if (to !== ownPublic || id !== wanted || !parts.isMember(from)) return false;
    if (!isSignedByNode(from, HAND, `${cluster} ${self} ${to} ${id} ${publicKey} ${box}`, signature)) return false;
    const [iv, body, tag] = box.split('.').map((part) => Buffer.from(part, 'base64url'));
    if (!iv || !body || !tag) return false;
    const decipher = createDecipheriv('aes-256-gcm', shared(own.privateKey, publicKey, [publicKey, ownPublic]), iv, { authTagLength: 16 })
      .setAAD(Buffer.from(`${cluster} ${self} ${id}`))
      .setAuthTag(tag);
    const master = new Uint8Array(Buffer.concat([decipher.update(body), decipher.final()]));
    if (keyId(master) !== wanted) return false;
    await key.adopt(master);
    await writeExchange(db, self, null);
    log.info({ from }, 'this machine has the key of stored sign-ins now');
    return true;
  }
}

function shared(privateKey: KeyObject, publicKey: string, both: [string, string]): Uint8Array {
  const other = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'X25519', x: publicKey } });
  const secret = diffieHellman({ privateKey, publicKey: other });
  return new Uint8Array(hkdfSync('sha256', secret, Buffer.from(both.join(' ')), 'codecshift/secrets/wrap/v1', 32));
}

function rawOf(key: KeyObject): string {
  return key.export({ format: 'jwk' }).x!;
}
