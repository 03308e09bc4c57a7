import { BlockList, isIP } from 'node:net';
import { PlainError } from '../../errors.ts';

/** Networks as people write them: `192.168.1.10`, `172.16.0.0/12`, `fd00::/8`, separated by commas, blanks or lines. */
export interface Networks {
  has(address: string): boolean;
  readonly empty: boolean;
}

/** @throws PlainError that names the part which is no network */
export function readNetworks(text: unknown): Networks {
  const list = new BlockList();
  const parts = typeof text === 'string' ? text.split(/[\s,]+/).filter(Boolean) : [];
  for (const part of parts) {
    const [address = '', bits] = part.split('/');
    const kind = isIP(address);
    const most = kind === 6 ? 128 : 32;
    const wide = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
    if (kind === 0 || address.includes('%') || !(wide >= 1 && wide <= most) || part.split('/').length > 2)
      throw new PlainError(`“${part.slice(0, 60)}” is no address or network like 192.168.1.10 or 172.16.0.0/12.`);
    list.addSubnet(address, wide, kind === 6 ? 'ipv6' : 'ipv4');
  }
  return {
    empty: parts.length === 0,
    has(address) {
      const plain = plainAddress(address);
      return isIP(plain) !== 0 && list.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4');
    },
  };
}

/** A socket for both families names an IPv4 peer `::ffff:192.0.2.1`, and a link-local one with its interface. */
export function plainAddress(address: string): string {
  const bare = address.trim().split('%', 1)[0]!.toLowerCase();
  const mapped = /^(?:::|(?:0{1,4}:){5})ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(bare);
  if (mapped) return mapped[1]!;
  const words = /^(?:::|(?:0{1,4}:){5})ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(bare);
  if (!words) return bare;
  const [high, low] = [parseInt(words[1]!, 16), parseInt(words[2]!, 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}
