/** Whatever a tab sends that is no command is answered `invalid` and reaches nothing. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { appCommand } from '../../../../protocol/face.ts';
import { type Tab, Ui } from './harness.ts';

let ui: Ui;
let tab: Tab;
let nextId = 0;
beforeAll(async () => {
  ui = await Ui.start();
  tab = await ui.admitted();
});
afterAll(() => ui.close());

const TYPES = appCommand.options.map((option) => option.shape.type.value);

const anyValue = fc.oneof(
  fc.string(),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.constant(undefined),
  fc.string({ minLength: 1_025, maxLength: 3_000 }),
  fc.array(fc.string(), { maxLength: 6 }),
  fc.object({ maxDepth: 2 }),
);
const fields = [
  'room',
  'password',
  'nick',
  'server',
  'create',
  'link',
  'accept',
  'text',
  'peer',
  'on',
  'setting',
  'change',
  'mode',
];

/** Objects that look like commands, with wrong names, types, lengths and strangers among the fields. */
const nearCommand = fc
  .record({
    type: fc.oneof({ weight: 9, arbitrary: fc.constantFrom<string>(...TYPES) }, { weight: 1, arbitrary: fc.string() }),
    rest: fc.dictionary(fc.oneof(fc.constantFrom(...fields), fc.constantFrom('__proto__', 'constructor')), anyValue),
  })
  .map(({ type, rest }): unknown => ({ ...rest, type }));
const hostile = fc.oneof(nearCommand, anyValue);

it('answers invalid to bad arguments, and changes nothing', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(hostile, async (command) => {
      const sent: unknown = JSON.parse(JSON.stringify({ command }) ?? '{}').command;
      fc.pre(!appCommand.safeParse(sent).success);
      const id = nextId++;
      const reached = ui.app.asked.length;
      tab.send({ t: 'command', id, command: sent });
      expect(await tab.answerTo(id)).toEqual({ ok: false, code: 'invalid' });
      expect(ui.app.asked.length).toBe(reached);
    }),
    { numRuns: 400 },
  );
});

it('passes on only what the contract names', async () => {
  const id = nextId++;
  tab.send({ t: 'command', id, command: { type: 'leave', extra: 1, __proto__: { polluted: true } } });
  expect(await tab.answerTo(id)).toEqual({ ok: true, result: null });
  expect(ui.app.asked.at(-1)).toEqual({ type: 'leave' });
});

it('outlives any text', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string(), fc.json(), fc.string({ unit: 'binary' })), async (text) => {
      const reached = ui.app.asked.length;
      tab.send(text === '' ? ' ' : text);
      const id = nextId++;
      tab.send({ t: 'command', id, command: { type: 'dismiss' } });
      expect(await tab.answerTo(id)).toEqual({ ok: true, result: null });
      expect(ui.app.asked.length).toBe(reached + 1);
    }),
    { numRuns: 200 },
  );
});
