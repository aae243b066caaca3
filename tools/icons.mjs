/**
 * Draws the app's and the tray's icons: `node tools/icons.mjs`. The results in `resources/icons/` are committed, because drawing
 * needs Chromium (Debian's, or the one that CHROMIUM names).
 *
 *     NxN.png, warren.ico            resources/mark.svg
 *     tray-STATE-SIZE[@2x].png       the mouth of a burrow, and in it what reaches out of it
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import pngToIco from 'png-to-ico';

const RESOURCES = fileURLToPath(new URL('../resources/', import.meta.url));
const ICONS = join(RESOURCES, 'icons');

const APP_SIZES = [16, 24, 32, 48, 64, 128, 256, 512];
const ICO_SIZES = [16, 24, 32, 48, 64, 256];
/** 16 for Windows, 22 for Linux panels; each also for screens of twice the density. */
const TRAY_SIZES = [16, 22];

const ARCH = 'M4 20V12a8 8 0 0 1 16 0v8';
/** Told apart by shape first (struck out, broken, barred, reached), then by colour. On a grid of 24. */
const TRAY = {
  off: { colour: '#b4bcc6', shapes: [`<path d="${ARCH}"/>`, '<path d="M3 21 21 3"/>'] },
  joining: { colour: '#f2c14e', shapes: [`<path d="${ARCH}" stroke-dasharray="4.6 4.4"/>`] },
  relayed: { colour: '#f2c14e', shapes: [`<path d="${ARCH}"/>`, '<path d="M7.6 15h8.8"/>'] },
  direct: {
    colour: '#6edb8f',
    shapes: [`<path d="${ARCH}"/>`, '<circle cx="12" cy="15.5" r="3.4" fill="#6edb8f"/>'],
  },
};

/** A dark edge around the bright lines keeps them readable on light panels as well. */
function traySvg({ colour, shapes }) {
  const drawn = (stroke, width) =>
    `<g fill="none" stroke="${stroke}" stroke-width="${width}" stroke-linecap="butt">${shapes.join('')}</g>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24">${drawn('#1d1915', 5)}${drawn(colour, 2.6)}</svg>`;
}

async function draw(page, svg, size) {
  const source = `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`;
  await page.setViewportSize({ width: size, height: size });
  await page.setContent(
    `<body style="margin:0"><img style="display:block;width:${size}px;height:${size}px" src="${source}">`,
  );
  await page.locator('img').evaluate((image) => image.decode());
  return await page.screenshot({ omitBackground: true });
}

mkdirSync(ICONS, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
});
try {
  const page = await browser.newPage();
  const mark = readFileSync(join(RESOURCES, 'mark.svg'), 'utf8');
  const drawn = new Map();
  for (const size of APP_SIZES) drawn.set(size, await draw(page, mark, size));
  for (const [size, png] of drawn) writeFileSync(join(ICONS, `${size}x${size}.png`), png);
  writeFileSync(join(ICONS, 'warren.ico'), await pngToIco(ICO_SIZES.map((size) => drawn.get(size))));
  for (const [state, look] of Object.entries(TRAY)) {
    for (const size of TRAY_SIZES) {
      writeFileSync(join(ICONS, `tray-${state}-${size}.png`), await draw(page, traySvg(look), size));
      writeFileSync(join(ICONS, `tray-${state}-${size}@2x.png`), await draw(page, traySvg(look), size * 2));
    }
  }
} finally {
  await browser.close();
}
