/** A colour of an HDR film as an ordinary screen would show it. Values 0…255, red, green, blue. */
export type Rgb = [number, number, number];

/** A patch of light for the eye: exact enough for a strip of colours, not for pictures. */
export function toOrdinary(colour: Rgb, curve: string | null): Rgb {
  const decode = curve === 'smpte2084' ? fromPq : curve === 'arib-std-b67' ? fromHlg : null;
  if (!decode) return colour;
  const [r, g, b] = colour.map((value) => decode(value / 255)) as Rgb;
  // BT.2020 to BT.709 (ITU-R BT.2087)
  const light: Rgb = [1.6605 * r - 0.5876 * g - 0.0728 * b, -0.1246 * r + 1.1329 * g - 0.0083 * b, -0.0182 * r - 0.1006 * g + 1.1187 * b];
  return light.map((value) => Math.round(255 * gamma(compress(Math.max(0, value))))) as Rgb;
}

/** SMPTE ST 2084; 1 is the white of paper, 203 cd/m² (ITU-R BT.2408). */
function fromPq(value: number): number {
  const power = value ** (1 / 78.84375);
  return (10_000 * (Math.max(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125)) / 203;
}

/** ARIB STD-B67; 0.75 of the signal is the white of paper. */
function fromHlg(value: number): number {
  const scene = value <= 0.5 ? value ** 2 / 3 : (Math.exp((value - 0.55991073) / 0.17883277) + 0.28466892) / 12;
  return (scene / 0.265) ** 1.2;
}

/** Highlights bend instead of being cut. */
function compress(value: number): number {
  return value <= 0.7 ? value : Math.min(1, 0.7 + (0.3 * (value - 0.7)) / (value - 0.4));
}

function gamma(value: number): number {
  return value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055;
}
