// Paints the blurred placeholder that an item carries: a ThumbHash (https://evanw.github.io/thumbhash/), base64.

const SIDE = 20;

/** The picture in a hash: { width, height, pixels } with pixels as RGBA. */
export function decode(base64) {
  const hash = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  const a = hash[0] | (hash[1] << 8) | (hash[2] << 16);
  const b = hash[3] | (hash[4] << 8);
  const alpha = a >> 23, wide = b >> 15;
  const long = alpha ? 5 : 7, short = b & 7;
  const nx = Math.max(3, wide ? long : short), ny = Math.max(3, wide ? short : long);

  let nibble = alpha ? 12 : 10;
  const channel = (mean, cols, rows, scale) => {
    const waves = [];
    for (let y = 0; y < rows; y++)
      for (let x = y ? 0 : 1; x * rows < cols * (rows - y); x++, nibble++)
        waves.push([x, y, (((hash[nibble >> 1] >> ((nibble & 1) << 2)) & 15) / 7.5 - 1) * scale]);
    return (u, v) => waves.reduce((sum, [x, y, f]) => sum + f * Math.cos(Math.PI * x * u) * Math.cos(Math.PI * y * v) * 2, mean);
  };
  // The channels are read in the order of the bytes.
  const light = channel((a & 63) / 63, nx, ny, ((a >> 18) & 31) / 31);
  const yellow = channel(((a >> 6) & 63) / 31.5 - 1, 3, 3, ((b >> 3) & 63) / 63 * 1.25);
  const red = channel(((a >> 12) & 63) / 31.5 - 1, 3, 3, ((b >> 9) & 63) / 63 * 1.25);
  const solid = alpha ? channel((hash[5] & 15) / 15, 5, 5, (hash[5] >> 4) / 15) : () => 1;

  const ratio = nx / ny;
  const width = Math.round(ratio > 1 ? SIDE : SIDE * ratio), height = Math.round(ratio > 1 ? SIDE / ratio : SIDE);
  const pixels = new Uint8ClampedArray(width * height * 4);
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i += 4) {
      const u = (x + 0.5) / width, v = (y + 0.5) / height;
      const l = light(u, v), p = yellow(u, v), q = red(u, v);
      const blue = l - (2 / 3) * p, r = (3 * l - blue + q) / 2;
      pixels.set([r * 255, (r - q) * 255, blue * 255, solid(u, v) * 255], i);
    }
  return { width, height, pixels };
}

/** Paint every placeholder under `root`. */
export function paint(root) {
  for (const canvas of root.querySelectorAll("canvas[data-hash]")) {
    try {
      const { width, height, pixels } = decode(canvas.dataset.hash);
      canvas.width = width;
      canvas.height = height;
      canvas.getContext("2d").putImageData(new ImageData(pixels, width, height), 0, 0);
    } catch {
      canvas.remove(); // A hash that cannot be read is only a picture less to wait by.
    }
  }
}
