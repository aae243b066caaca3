/** The bundled command as a script, with the code that V8 compiled earlier. Used by the bundle's entry and to make that code. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Script } from 'node:vm';

/** `cachedData` null: nothing is compiled yet. What does not fit this Node is compiled as ever. */
export function loadScript(path, cachedData) {
  // Its text is ASCII; so V8 takes it as it is.
  return new Script(readFileSync(path, 'latin1'), {
    filename: path,
    ...(cachedData && { cachedData }),
  });
}

export function runScript(script, path) {
  const module = { exports: {} };
  script.runInThisContext()(createRequire(path), module, module.exports, pathToFileURL(path).href);
}
