import { isIP, isIPv4, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { multiaddr } from '@multiformats/multiaddr';
import { settings } from '../config/schema.ts';
import { PlainError } from '../errors.ts';

/** Where a node can be dialled: a plain TCP address, and the node's id when the address names it. */
export interface Target {
  host: string;
  port: number;
  node: string | null;
}

/**
 * Reads `host`, `host:port`, `[v6]:port`, `name:port` or a multiaddr (ip4, ip6, dns…; tcp; with or without p2p).
 * Null for anything else: an address may come from another machine, and only plain TCP is ever dialled.
 */
export function parseAddress(text: string, defaultPort: number): Target | null {
  const trimmed = text.trim();
  if (trimmed === '' || trimmed.length > 300) return null;
  return trimmed.startsWith('/') ? parseMultiaddr(trimmed) : parseHostPort(trimmed, defaultPort);
}

/**
 * An address that a person gave; without a port it is the one that this machine wishes for itself (0: the usual one).
 * @throws PlainError when it is none
 */
export function requireAddress(text: string, meshPort: number): Target {
  const port = meshPort || settings.meshPort.default;
  const target = parseAddress(text, port);
  if (target) return target;
  throw new PlainError(`"${text.slice(0, 100)}" is no address of another machine. Write host:port, for example nas:${port}.`);
}

function parseMultiaddr(text: string): Target | null {
  try {
    const [first, second, third, ...more] = multiaddr(text).getComponents();
    if (!first?.value || !/^(ip4|ip6|dns|dns4|dns6)$/.test(first.name) || second?.name !== 'tcp' || more.length > 0) return null;
    if (third !== undefined && third.name !== 'p2p') return null;
    return target(first.value, Number(second.value), third?.value ?? null);
  } catch {
    return null;
  }
}

function parseHostPort(text: string, defaultPort: number): Target | null {
  const [, six, port6] = /^\[([0-9a-f:.%\w]+)\](?::(\d+))?$/i.exec(text) ?? [];
  if (six !== undefined) return isIPv6(six) ? target(six, Number(port6 ?? defaultPort), null) : null;
  if (isIPv6(text)) return target(text, defaultPort, null);
  const [, host, port] = /^([\w.-]+)(?::(\d+))?$/.exec(text) ?? [];
  return host === undefined ? null : target(host, Number(port ?? defaultPort), null);
}

function target(host: string, port: number, node: string | null): Target | null {
  const reachable = !/^(0\.|22[4-9]\.|23\d\.|24\d\.|25[0-5]\.|::$|ff)/i.test(isIP(host) ? host : '');
  return reachable && Number.isInteger(port) && port > 0 && port < 65_536 ? { host, port, node } : null;
}

/** For people and for the wire: `192.168.1.5:8266`, `[fd00::5]:8266`, `nas:8266`. */
export function formatAddress({ host, port }: Pick<Target, 'host' | 'port'>): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The multiaddr to dial, with the node's id when it is known: Noise then refuses anybody else. */
export function toMultiaddr({ host, port, node }: Target): string {
  const kind = isIPv4(host) ? 'ip4' : isIPv6(host) ? 'ip6' : 'dns';
  const bare = host.split('%')[0]!;
  return `/${kind}/${bare}/tcp/${port}${node ? `/p2p/${node}` : ''}`;
}

export function isLoopback(host: string): boolean {
  return host === '::1' || host.startsWith('127.') || host === 'localhost';
}

export interface Interface {
  name: string;
  address: string;
  netmask: string;
}

/** The addresses of this machine's own network cards; those of the loopback only where there are no others. */
export function ownInterfaces(family: 'IPv4' | 'IPv6'): Interface[] {
  const all = Object.entries(cards())
    .flatMap(([name, list]) => (list ?? []).map((one) => ({ ...one, name })))
    .filter((one) => one.family === family);
  const outer = all.filter((one) => !one.internal);
  return (outer.length > 0 ? outer : all).map(({ name, address, netmask }) => ({ name, address, netmask }));
}

/** Asking the system costs a tenth of a millisecond, and sorting addresses asks hundreds of times. */
let known: { at: number; cards: ReturnType<typeof networkInterfaces> } | null = null;

function cards(): ReturnType<typeof networkInterfaces> {
  if (!known || performance.now() - known.at > 1000) known = { at: performance.now(), cards: networkInterfaces() };
  return known.cards;
}

/**
 * How likely an address works from here, the smallest first: one of our own subnets, then the rest, names and IPv6, and
 * the loopback last. Addresses are dialled one after the other, and a wrong first one costs seconds.
 */
export function distance(host: string): number {
  if (isLoopback(host)) return 3;
  if (!isIPv4(host)) return 2;
  const near = ownInterfaces('IPv4').some(
    ({ address, netmask }) => (toNumber(host) & toNumber(netmask)) === (toNumber(address) & toNumber(netmask)),
  );
  return near ? 0 : 1;
}

function toNumber(ip: string): number {
  return ip.split('.').reduce((sum, part) => (sum << 8) | Number(part), 0);
}
