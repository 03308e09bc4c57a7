import type { Program } from '../core/compatibility.ts';
import { hostOf } from './gate.ts';
import type { Link, Links } from './links.ts';

/** The members that are connected now, and what is known of them only for as long as they are. */
export interface Company {
  /** members that are connected and admitted now, and whose programs work together with this one's */
  connected(): string[];
  /** members that are connected, but whose programs are too far from this one's for anything but to meet */
  apart(): { node: string; program: Program }[];
  /** host part of the live connection to a node: where its data plane is reached too; null when not connected */
  hostOf(node: string): string | null;
  /** its clock minus ours in milliseconds, measured when they met and again every minute */
  clockOf(node: string): number | null;
  /** what a connected node runs, as it said itself; null when it is not connected */
  programOf(node: string): Program | null;
}

export function createCompany(parts: {
  self: string;
  program: Program;
  links: Pick<Links, 'all' | 'of'>;
  /** why a program does not work together with this one's; null when it does */
  apart: (link: Link) => string | null;
}): Company {
  const { links } = parts;
  const isApart = (link: Link): boolean => parts.apart(link) !== null;
  return {
    connected: () =>
      links
        .all()
        .filter((link) => !isApart(link))
        .map(({ node }) => node),
    apart: () =>
      links
        .all()
        .filter(isApart)
        .map((link) => ({ node: link.node, program: programIn(link) })),
    hostOf: (node) => mapped(links.of(node), ({ connection }) => hostOf(connection.remoteAddr)),
    clockOf: (node) => mapped(links.of(node), ({ clockMs }) => clockMs),
    programOf: (node) => (node === parts.self ? parts.program : mapped(links.of(node), programIn)),
  };
}

function programIn({ version, speaks }: Link): Program {
  return { version, speaks };
}

function mapped<T, R>(value: T | null, map: (value: T) => R): R | null {
  return value === null ? null : map(value);
}
