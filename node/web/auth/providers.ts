import type { PendingLogin } from '../../core/access.ts';
import type { Provider } from '../models/access.ts';
import type { Web } from '../web.ts';

/** The buttons of providers on the pages of signing in, proving and linking: one for each that is set up. */
export async function providersOf(_web: Web, _purpose: PendingLogin['purpose'], _back: string): Promise<Provider[]> {
  return [];
}
