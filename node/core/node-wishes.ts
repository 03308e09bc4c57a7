import { defaultManners, type Manners } from './manner-wishes.ts';

/** What a person wishes of one node. Stored in its row, told to it with every welcome, obeyed by `core/schedule.ts`. */
export interface NodeWishes {
  /** begins nothing and stands still with what it runs */
  paused: boolean;
  /** begins nothing new; what runs is finished */
  draining: boolean;
  /** encodes at once; null: the setting of the whole cluster */
  slots: number | null;
  /** hours in which it may begin work; empty: always */
  schedule: Window[];
  /** most megabits a second it may send or receive; null: the setting of the whole cluster */
  mbps: number | null;
  /** how it behaves towards the people and the other programs of its house */
  manners: Manners;
}

/** What a person changes of it; what is left out stays. */
export type NodeChange = Partial<Omit<NodeWishes, 'manners'>> & { manners?: Partial<Manners> };

/** Hours of the week by the node's own clock. `from` later than `to` passes midnight; the days name where it begins. */
export interface Window {
  /** 0 Sunday … 6 Saturday */
  days: number[];
  /** "22:30" */
  from: string;
  /** "07:00"; the same as `from` means the whole day */
  to: string;
}

export const noWishes: NodeWishes = { paused: false, draining: false, slots: null, schedule: [], mbps: null, manners: defaultManners };
