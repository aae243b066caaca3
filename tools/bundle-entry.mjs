/** The bundle's entry: runs the command's script (see bundle.mjs). */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadScript, runScript } from './bundle-script.mjs';

const path = (extension) => fileURLToPath(new URL(`code/${COMMAND}.${extension}`, import.meta.url));

function cachedCode() {
  try {
    return readFileSync(path('cache'));
  } catch {
    return null;
  }
}

const script = path('js');
runScript(loadScript(script, cachedCode()), script);
