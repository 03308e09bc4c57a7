import type { Actor } from './commands.ts';

/**
 * Secrets that the cluster keeps by name, sealed at rest with a key that is not in the database (coordinator/secrets.ts). They can
 * be used and replaced, and nobody is ever shown one again.
 */
export interface Safe {
  /** null: it is thrown away. @throws PlainError when the key is on another machine that may still come */
  keep(name: SecretName, secret: string | null, by: Actor): Promise<void>;
  /** null: there is none. @throws PlainError reason `secret-lost`: it has to be entered again */
  open(name: SecretName): Promise<string | null>;
  /** for a secret that is kept somewhere else under `name` */
  seal(name: string, secret: string): Promise<string>;
  /** @throws PlainError reason `secret-lost` */
  unseal(name: string, sealed: string): Promise<string>;
}

export type SecretName = 'oidc.clientSecret' | 'proxy.secret';
