import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { PlainError } from './errors.ts';
import { keepSecretsIn } from './redact.ts';

/**
 * Secrets at rest: AES-256-GCM under a key that lies in a file beside the program, never in the database, so that a dump
 * of the database, a shared server or a backup tells nothing. It does not protect against somebody who has the machine.
 * The name of a secret is authenticated with it: a ciphertext that was moved to another row does not open.
 */
export interface Sealer {
  seal(name: string, secret: string): string;
  /** @throws PlainError with reason `secret-lost` when key, name or text do not belong together: the secret is asked for again */
  open(name: string, sealed: string): string;
}

/** The key in the file of one machine. It may be missing, and it may be another one than the secrets were sealed with. */
export interface SecretKey {
  /** tells one key from another and says nothing else of it; null: there is none */
  id(): string | null;
  sealer(): Sealer | null;
  /** makes a key where there is none; resolves with its id. @throws PlainError when it cannot be kept */
  make(): Promise<string>;
  /** another key takes the place of this one, which is kept aside */
  adopt(master: Uint8Array): Promise<void>;
  /** for handing it to another machine that may coordinate; null: there is none */
  master(): Uint8Array | null;
}

/** 64 bits that follow from a key, from which nothing of the key follows. */
export function keyId(master: Uint8Array): string {
  return Buffer.from(hkdfSync('sha256', master, new Uint8Array(0), 'codecshift/secrets/id/v1', 8)).toString('hex');
}

const VERSION = 's1';

/** @param master 32 random bytes */
export function createSealer(master: Uint8Array): Sealer {
  if (master.length !== 32) throw new RangeError('the key for secrets is 32 bytes');
  const key = new Uint8Array(hkdfSync('sha256', master, new Uint8Array(0), 'codecshift/secrets/v1', 32));
  return {
    seal(name, secret) {
      keepSecretsIn(secret);
      const iv = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(name));
      const body = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
      return [VERSION, ...[iv, body, cipher.getAuthTag()].map((part) => part.toString('base64url'))].join('.');
    },
    open(name, sealed) {
      try {
        const [version, iv, body, tag] = sealed.split('.');
        if (version !== VERSION || iv === undefined || body === undefined || tag === undefined) throw new Error('not a sealed secret');
        const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(iv, 'base64url'), { authTagLength: 16 })
          .setAAD(Buffer.from(name))
          .setAuthTag(Buffer.from(tag, 'base64url'));
        const secret = Buffer.concat([decipher.update(Buffer.from(body, 'base64url')), decipher.final()]).toString('utf8');
        keepSecretsIn(secret);
        return secret;
      } catch (cause) {
        throw new PlainError('A stored secret cannot be opened with the key of this machine. Enter it again.', {
          cause,
          reason: { code: 'secret-lost' },
        });
      }
    },
  };
}
