import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FakeDevice } from './fake-device.ts';

/**
 * Stands where ffmpeg stands: `fake-device-program.ts <settings file> <ffmpeg's arguments…>`. An encode with a hardware
 * encoder fails as recorded drivers fail, or is done by the real ffmpeg with the software encoder of the same format in
 * its place. Everything else is handed to the real ffmpeg as it is.
 */
const [settings = '', ...args] = process.argv.slice(2);
const device = JSON.parse(readFileSync(settings, 'utf8')) as FakeDevice & { ffmpeg: string; folder: string };
const wanted = args.find((arg, i) => /^-c(:|$)/.test(args[i - 1] ?? '') && /^(hevc|av1)_/.test(arg));

if (args.includes('-encoders')) listEncoders();
else if (!wanted) become(args);
else if (device.hangs) setInterval(() => {}, 1000);
else if (!refuse(wanted)) encode(wanted);

/** The real list, with the encoders of this device in it whether they were compiled in or not. */
function listEncoders(): void {
  const child = spawn(device.ffmpeg, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  child.stdout.pipe(process.stdout, { end: false });
  child.on('close', (code) => {
    process.stdout.write(device.encoders.map((name) => ` V....D ${name.padEnd(20)} a device of a test\n`).join(''));
    process.exitCode = code ?? 1;
  });
}

/** True when the driver refused, with its own words. */
function refuse(name: string): boolean {
  const ten = args.some((arg) => arg === 'p010le' || arg === 'format=p010le');
  const mine = device.encoders.includes(name) && (device.cards === undefined || cardOf() < device.cards);
  if (!mine) return fail(name, device.missing ?? ['Cannot load libcuda.so.1']);
  if (device.refusesTenBit && ten) return fail(name, ['10 bit encode not supported', 'No capable devices found']);
  if (device.refusesBFrames && args.some((arg) => arg.startsWith('-b_ref_mode')))
    return fail(name, ['B frames as references are not supported', 'No capable devices found']);
  if (device.failsFilms && isFilm()) return fail(name, device.failsFilms);
  return session() ? false : fail(name, ['OpenEncodeSessionEx failed: out of memory (10): (no details)']);
}

function cardOf(): number {
  const at = args.findIndex((arg) => arg.startsWith('-gpu'));
  return at < 0 ? 0 : Number(args[at + 1]);
}

/** A test encode draws its pictures itself. */
function isFilm(): boolean {
  return !args.includes('lavfi');
}

function fail(name: string, lines: string[]): true {
  process.stderr.write(lines.map((line) => `[${name} @ 0x5581c0de] ${line}\n`).join(''));
  process.stderr.write('Error initializing output stream 0:0 -- Error while opening encoder for output stream #0:0\nConversion failed!\n');
  process.exitCode = 1;
  return true;
}

/** One file for each encode that lives; false when there are as many as the device takes. */
function session(): boolean {
  const folder = join(device.folder, 'sessions');
  mkdirSync(folder, { recursive: true });
  const open = readdirSync(folder).filter((pid) => isAlive(Number(pid)) || rmSync(join(folder, pid), { force: true }));
  if (device.sessions !== undefined && open.length >= device.sessions) return false;
  writeFileSync(join(folder, String(process.pid)), '');
  process.on('exit', () => rmSync(join(folder, String(process.pid)), { force: true }));
  return true;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function encode(name: string): void {
  process.stderr.write(`[${name} @ 0x5581c0de] [ GPU #${cardOf()} - < Fakeforce 9000 > has Compute SM 8.9 ]\n`);
  if (!device.garbage) return become(inSoftware(name));
  // all the frames in all the right places, and nothing on them
  const software = inSoftware(name);
  const filter = software.findIndex((arg) => /^-filter:/.test(arg));
  if (filter >= 0) software[filter + 1] += ',drawbox=t=fill:color=black';
  else
    software.splice(
      software.findIndex((arg) => /^-c:\d/.test(arg)),
      0,
      '-filter:0',
      'drawbox=t=fill:color=black',
    );
  become(software);
}

/** The same command with x265 or SVT-AV1: what only the hardware understands is left out. */
function inSoftware(name: string): string[] {
  const out: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const [arg, value] = [args[i]!, args[i + 1] ?? ''];
    if (arg === '-init_hw_device' || arg === '-filter_hw_device') i++;
    else if (
      /^-(preset|tune|rc|cq|b|spatial-aq|temporal-aq|rc-lookahead|gpu|bf|b_ref_mode|profile|global_quality|rc_mode|qp|qp_i|qp_p|quality):\d+$/.test(
        arg,
      )
    )
      i++;
    else if (/^-c:\d+$/.test(arg) && value === name) {
      out.push(arg, ...replacement(name, arg.slice(3)));
      i++;
    } else if (/^-pix_fmt:\d+$/.test(arg)) {
      out.push(arg, value === 'p010le' ? 'yuv420p10le' : 'yuv420p');
      i++;
    } else if (/^-filter:\d+$/.test(arg)) {
      const kept = value.split(',').filter((filter) => filter !== 'hwupload');
      out.push(arg, kept.join(',').replace('p010le', 'yuv420p10le').replace('nv12', 'yuv420p'));
      i++;
    } else out.push(arg);
  }
  return out;
}

function replacement(name: string, n: string): string[] {
  // held open only to be counted: the pictures go nowhere
  if (args.at(-1) === '-') return ['rawvideo'];
  if (name.startsWith('av1_')) return ['libsvtav1', `-preset:${n}`, '12', `-crf:${n}`, '30'];
  return ['libx265', `-preset:${n}`, 'ultrafast', `-crf:${n}`, '22', `-x265-params:${n}`, 'log-level=error:pools=1:frame-threads=1'];
}

/** Signals reach the child too: it is in the same process group. */
function become(all: string[]): void {
  const child = spawn(device.ffmpeg, all, { stdio: 'inherit' });
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('close', (code, signal) => process.exit(code ?? (signal ? 255 : 1)));
}
