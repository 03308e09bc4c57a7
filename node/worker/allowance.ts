import { defaultManners, mannersOf, type Manners } from '../core/manner-wishes.ts';
import { unrestrained, type Conduct } from '../core/manners.ts';
import type { Welcome } from '../mesh/greeter.ts';
import type { Household } from './household.ts';

/**
 * What this node may do now: what the coordinator allows and wishes of it, and how considerate its household has it be.
 * Before the first welcome nothing new is taken on.
 */
export interface Allowance {
  /** the coordinator says what it wishes; that lasts until it says otherwise, also while none is there */
  hear(welcome: Welcome): void;
  /** new work may be asked for */
  mayTakeOn(): boolean;
  /** what is here already may begin to encode */
  mayBegin(): boolean;
  /** what runs may go on */
  mayGoOn(): boolean;
  /** a person paused this node */
  paused(): boolean;
  /** it shall get no new work */
  draining(): boolean;
  conduct(): Conduct;
  manners(): Manners;
  /** encodes at once, as it was set up */
  slots(): number;
  /** encodes at once, as the household has it now */
  atOnce(): number;
  /** most megabits a second to move; 0 is no limit */
  mbps(): number;
  stallMs(): number;
  /** of its disk, kept free for others */
  minFreeBytes(): number;
}

/** @param household without one it is never restrained */
export function createAllowance(household: Household | undefined): Allowance {
  let welcome: Welcome | null = null;

  const allowance: Allowance = {
    hear(said) {
      welcome = said;
      household?.wish(mannersOf(said.wishes.manners), said.wishes.schedule);
    },
    mayTakeOn: () => welcome !== null && allowance.mayBegin() && !allowance.draining(),
    mayBegin: () => !allowance.paused() && allowance.conduct().does === 'run',
    mayGoOn: () => !allowance.paused() && allowance.conduct().does !== 'pause',
    paused: () => welcome?.wishes.paused ?? false,
    draining: () => welcome?.wishes.draining ?? false,
    conduct: () => household?.conduct() ?? unrestrained,
    manners: () => household?.manners() ?? defaultManners,
    slots: () => (welcome ? (welcome.wishes.slots ?? welcome.slots) : 1),
    atOnce: () => Math.min(allowance.slots(), allowance.conduct().atOnce ?? Infinity),
    mbps: () => welcome?.wishes.mbps ?? 0,
    stallMs: () => (welcome?.stallSeconds ?? 600) * 1000,
    minFreeBytes: () => welcome?.minFreeBytes ?? 0,
  };
  return allowance;
}
