import type { PageModule } from '../web.ts';
import { overviewPages } from './overview.ts';

/** Every page module, in the order in which routes are tried. */
export const pageModules: readonly PageModule[] = [overviewPages];
