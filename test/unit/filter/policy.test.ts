import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluate, openPorts } from '../../../engine/filter/evaluate.ts';
import { type Person, type Policy, parsePolicy, rulesFor } from '../../../engine/filter/policy.ts';
import { PRESET_RULES } from '../../../engine/filter/presets.ts';
import { parseTarget } from '../../../engine/filter/targets.ts';

const KEY = Buffer.alloc(32, 7).toString('base64');
const person = (nick: string, key = Buffer.from(nick.padEnd(32)).toString('base64')): Person => ({
  nick,
  key,
  ipv4: '10.64.0.5',
  ipv6: 'fd00::5',
});

const EXAMPLE = `{
  // who is who
  "groups": { "friends": ["ann", "bob"] },
  "rules": [
    { "action": "deny", "from": ["bob"], "to": ["tcp:22"] },
    { "action": "accept", "from": ["group:friends"], "to": ["tcp:22,25565", "udp:6112-6119", "icmp"] },
    { "action": "accept", "from": ["*"], "to": ["games"] }, // everyone else
  ],
  "tests": [
    { "from": "ann", "accept": ["tcp:22", "udp:6115"], "deny": ["tcp:3389"] },
    { "from": "bob", "accept": ["tcp:25565", "icmp"], "deny": ["tcp:22"] },
    { "from": "eve", "accept": ["tcp:27015"], "deny": ["tcp:22", "tcp:5900"] },
  ],
}`;

function good(text: string): Policy {
  const result = parsePolicy(text);
  if (!result.ok) throw new Error(`line ${result.problem.line}: ${result.problem.message}`);
  return result.policy;
}

const may = (policy: Policy, who: Person, protocol: 'tcp' | 'udp' | 'icmp', port = 0) =>
  evaluate(rulesFor(policy, who), protocol, port).accept;

describe('a policy file', () => {
  it('reads with comments and trailing commas, and its tests pass', () => {
    const policy = good(EXAMPLE);
    expect(policy.rules).toHaveLength(3);
    expect(may(policy, person('ann'), 'tcp', 22)).toBe(true);
    expect(may(policy, person('bob'), 'tcp', 22)).toBe(false);
    expect(may(policy, person('eve'), 'tcp', 445)).toBe(false);
    expect(may(policy, person('eve'), 'icmp')).toBe(true);
  });

  it('lets nobody in whom no rule names', () => {
    expect(may(good('{}'), person('ann'), 'tcp', 27_015)).toBe(false);
    expect(may(good('{"rules": [{"action": "accept", "from": ["ann"], "to": ["*"]}]}'), person('bob'), 'icmp')).toBe(
      false,
    );
  });

  it('takes nobody for another who chose a key, an address or a group as a nickname', () => {
    const policy = good(`{"groups": {"g": ["ann"]}, "rules": [
      {"action": "accept", "from": ["${KEY}", "10.64.0.9", "fd00::9", "group:g"], "to": ["*"]}]}`);
    for (const nick of [KEY, '10.64.0.9', 'fd00::9', 'group:g'])
      expect(may(policy, person(nick), 'tcp', 1)).toBe(false);
    expect(may(policy, person('anyone', KEY), 'tcp', 1)).toBe(true);
    expect(may(policy, { ...person('x'), ipv4: '10.64.0.9' }, 'tcp', 1)).toBe(true);
  });

  it.each([
    ['{', 1, 'not JSON'],
    ['[]', 1, 'a policy is an object'],
    ['{\n"rule": []}', 2, '"rule" is not known here'],
    ['{"rules": [\n{"action": "allow", "from": ["*"], "to": ["*"]}]}', 2, '"action" is "accept" or "deny"'],
    ['{"rules": [\n{"action": "accept",\n"from": "*", "to": ["*"]}]}', 3, '"from" is a list'],
    ['{"rules": [{"action": "accept", "from": ["group:x"], "to": ["*"]}]}', 1, 'there is no group "x"'],
    ['{"rules": [{"action": "accept", "from": ["*"], "to": ["ssh"]}]}', 1, '"ssh" is no port'],
    ['{"rules": [{"action": "accept", "from": ["*"], "to": ["tcp:70000"]}]}', 1, 'is no port'],
    ['{"rules": [{"action": "accept", "from": ["*"]}]}', 1, '"to" is missing'],
    [
      '{"rules": [{"action": "accept", "from": ["*"], "to": ["*"]}],\n"tests": [\n{"from": "eve", "deny": ["tcp:22"]}]}',
      3,
      'test 1 fails: eve may reach tcp:22 (the rule in line 1 decides)',
    ],
    ['{"tests": [{"from": "ann", "accept": ["udp:6112"]}]}', 1, 'no rule accepts it'],
  ])('says what is wrong in %j, and where', (text, line, message) => {
    expect(parsePolicy(text)).toMatchObject({
      ok: false,
      problem: { line, message: expect.stringContaining(message) },
    });
  });

  it('never throws, whatever is in it', () => {
    const value = fc.letrec((tie) => ({
      any: fc.oneof({ depthSize: 'small' }, fc.string(), fc.integer(), fc.constant(null), tie('list'), tie('object')),
      list: fc.array(tie('any'), { maxLength: 4 }),
      object: fc.dictionary(fc.constantFrom('groups', 'rules', 'tests', 'action', 'from', 'to', 'accept'), tie('any')),
    })).object;
    fc.assert(
      fc.property(
        fc.oneof(
          value.map((one) => JSON.stringify(one)),
          fc.string(),
        ),
        (text) => {
          parsePolicy(text);
        },
      ),
    );
  });
});

describe('the presets', () => {
  it('close remote control for games, and open nothing when closed', () => {
    for (const port of [22, 135, 137, 138, 139, 445, 3389, 5900]) {
      expect(evaluate(PRESET_RULES.games, 'tcp', port).accept).toBe(false);
      expect(evaluate(PRESET_RULES.games, 'udp', port).accept).toBe(false);
    }
    for (const port of [21, 136, 6112, 25_565, 27_015])
      expect(evaluate(PRESET_RULES.games, 'udp', port).accept).toBe(true);
    expect(openPorts(PRESET_RULES.closed, 'tcp')).toEqual([]);
    expect(openPorts(PRESET_RULES.open, 'udp')).toEqual([[0, 65_535]]);
  });
});

describe('the open ports', () => {
  it('are those that the rules accept, one by one', () => {
    const port = fc.integer({ min: 0, max: 40 });
    const range = fc.tuple(port, port).map(([a, b]): [number, number] => [Math.min(a, b), Math.max(a, b)]);
    const rule = fc.record({
      action: fc.constantFrom('accept' as const, 'deny' as const),
      protocol: fc.constantFrom('tcp' as const, 'udp' as const),
      ports: fc.array(range, { maxLength: 3 }),
    });
    const rules = fc.record({ rules: fc.array(rule), otherwise: fc.constantFrom('accept' as const, 'deny' as const) });
    fc.assert(
      fc.property(rules, fc.integer({ min: 0, max: 50 }), (given, asked) => {
        const open = openPorts(given, 'tcp').some(([low, high]) => low <= asked && asked <= high);
        expect(open).toBe(evaluate(given, 'tcp', asked).accept);
      }),
    );
  });

  it('take what a rule says of both protocols', () => {
    expect(parseTarget('*:6112')).toEqual([
      { protocol: 'tcp', ports: [[6112, 6112]] },
      { protocol: 'udp', ports: [[6112, 6112]] },
    ]);
    expect(parseTarget('tcp')).toEqual([{ protocol: 'tcp' }]);
    expect(parseTarget('tcp:9-8')).toBeNull();
  });
});
