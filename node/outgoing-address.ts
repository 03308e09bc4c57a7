import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { PlainError } from './errors.ts';

/**
 * Where a typed or told address may lead. Private networks are what people mean, so only places go where no media server
 * can be: link-local (cloud machines answer there with their keys), multicast, "this host", reserved, and the ports of this
 * program and its database on this machine itself.
 */
export function judgeAddress(address: string, port: number, ownPorts: readonly number[]): void {
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  if (isIP(address) === 0 || (nowhere.check(address, family) && !loopback.check(address, family))) throw forbidden(address);
  if (ownPorts.includes(port) && isThisMachine(address, family)) throw forbidden(`${address} port ${port}`);
}

/**
 * The URL as it will be asked. WHATWG parsing has already turned 0xa9fea9fe and 2852039166 into dotted form.
 * @throws PlainError `address-forbidden`: no http(s), or a name and password in it, which would end up in logs
 */
export function parseAddress(text: string | URL, schemes: readonly string[] = ['http:', 'https:']): URL {
  const url = URL.parse(String(text));
  if (url === null) throw forbidden('something that is no address');
  if (!schemes.includes(url.protocol)) throw forbidden(`an address that begins with ${url.protocol.slice(0, 20)}`);
  if (url.username !== '' || url.password !== '') throw forbidden('an address with a name or password in it');
  return url;
}

/** Host and port and nothing else: paths and queries can carry secrets. */
export function placeOfUrl(url: URL): string {
  return url.host.slice(0, 260);
}

export function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' || url.protocol === 'wss:' ? 443 : 80;
}

export function forbidden(address: string): PlainError {
  return new PlainError(`Nothing is asked at ${address}: no media server can be there.`, {
    reason: { code: 'address-forbidden', params: { address } },
  });
}

/** BlockList judges ::ffff:a.b.c.d as a.b.c.d by itself; the other clothes of IPv4 are listed. */
const nowhere = new BlockList();
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['169.254.0.0', 16],
  ['192.0.0.0', 24], // protocol assignments; one cloud keeps its keys at 192.0.0.192
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const) {
  nowhere.addSubnet(network, bits, 'ipv4');
}
for (const [network, bits] of [
  ['::', 96], // unspecified, and ::a.b.c.d, long given up
  ['64:ff9b::', 96], // IPv4 behind a translator
  ['2002:a9fe::', 32], // 6to4 of 169.254/16
  ['2002:7f00::', 24],
  ['fe80::', 10],
  ['fd00:ec2::254', 128], // keys of a cloud again
  ['ff00::', 8],
] as const) {
  nowhere.addSubnet(network, bits, 'ipv6');
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** The database may listen on all addresses, so those of the network cards count too. */
function isThisMachine(address: string, family: 'ipv4' | 'ipv6'): boolean {
  if (loopback.check(address, family)) return true;
  const own = new BlockList();
  for (const { address: mine } of Object.values(networkInterfaces()).flatMap((cards) => cards ?? [])) {
    own.addAddress(mine, isIP(mine) === 6 ? 'ipv6' : 'ipv4');
  }
  return own.check(address, family);
}
