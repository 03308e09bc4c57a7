import { messageOf } from '../errors.ts';
import { lastLine, ToolError } from './process.ts';

/** Why a test encode failed, for people. `hopeless`: the other devices of the same family need not be asked. */
export interface Refusal {
  words: string;
  hopeless: boolean;
}

/** What the drivers of the field say, as recorded, and what it means. The first that fits counts. */
const known: [said: RegExp, means: string][] = [
  [/Cannot load (libcuda|nvcuda)|Cannot load (libnvidia-encode|nvEncodeAPI)/, 'there is no NVIDIA driver here'],
  [/required nvenc API version|minimum required Nvidia driver/i, 'the NVIDIA driver is too old for this ffmpeg'],
  [
    /OpenEncodeSessionEx failed: (out of memory|incompatible client key)/,
    'the card has no free encoding session (consumer cards allow few at once)',
  ],
  [/10 bit encode not supported|No support for 10.?bit/i, 'the chip cannot encode 10 bit'],
  [/B frames as references are not supported|Max B-frames \d+ exceed 0|B-frames? (are|is) not supported/i, 'the chip makes no B-frames'],
  [/Codec not supported|codec not supported/, 'the chip cannot encode this format'],
  [/No (NVENC )?capable devices found|no CUDA-capable device/, 'there is no NVIDIA card that can encode this'],
  [/No VA display found|Failed to initialise VAAPI|vaInitialize failed/, 'the graphics driver offers no VAAPI'],
  [
    /Error (initializing|creating) an? (internal )?MFX session|MFX session|libvpl|No such device.*qsv|Failed to set value 'qsv=hw' for option/i,
    'there is no Intel Quick Sync here',
  ],
  [/libamfrt|AMF failed to initialise/i, 'there is no AMD AMF runtime here'],
  [/No usable encoding (entrypoint|profile)/i, 'the graphics chip cannot encode this'],
  [/Permission denied/, 'this user may not use the device (on Linux, its groups “video” and “render” may)'],
];

const hopeless = /Cannot load|required nvenc API version|minimum required Nvidia driver/i;

export function refusalOf(error: unknown): Refusal {
  if (!(error instanceof ToolError)) return { words: messageOf(error), hopeless: false };
  if (error.timedOut) return { words: 'a test encode of a few frames did not end in time', hopeless: true };
  const last = lastLine(error.stderrTail) ?? error.message;
  const found = known.find(([said]) => said.test(error.stderrTail));
  return { words: found ? `${found[1]} (${last})` : last, hopeless: hopeless.test(error.stderrTail) };
}

/** What an encode said about its device at the log level "verbose"; null where it said nothing. */
export function deviceFacts(said: string, device: string | null): { deviceName: string | null; driver: string | null } {
  const cards = [...said.matchAll(/GPU #(\d{1,3}) - < ([^<>]{1,80}?) > has Compute/g)];
  const card = cards.find(([, number]) => number === device)?.[2] ?? null;
  const va = /VAAPI driver: (.{1,150}?)\.?$/m.exec(said)?.[1] ?? null;
  const chip = va === null ? null : (/ for (.+?)(?: - [\d.]+)?(?: \(.*)?$/.exec(va)?.[1] ?? null);
  return { deviceName: card ?? chip, driver: va };
}
