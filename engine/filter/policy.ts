/**
 * Policy files: JSON with comments and trailing commas. docs/policy.md tells players how to write one.
 *
 * 1. `parsePolicy` reads the text; what is wrong is named with its line.
 * 2. The file's own tests run against its rules; one that fails makes the file invalid.
 * 3. `rulesFor` gives the rules about one member: the first that names it and the port decides, nothing is denied by name.
 */
import { findNodeAtLocation, type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser';
import { POLICY_CHARACTERS } from '../../protocol/filter.ts';
import type { FilterRule, FilterRules } from '../ports.ts';
import { evaluate } from './evaluate.ts';
import { parseTarget, type Target } from './targets.ts';

/** Whom a rule can name. */
export interface Person {
  nick: string;
  key: string;
  ipv4: string | null;
  ipv6: string | null;
}

interface PolicyRule {
  action: 'accept' | 'deny';
  from: string[];
  targets: Target[];
  line: number;
}
interface PolicyTest {
  from: string;
  accept: string[];
  deny: string[];
  line: number;
}
export interface Policy {
  groups: ReadonlyMap<string, readonly string[]>;
  rules: readonly PolicyRule[];
  tests: readonly PolicyTest[];
}
export interface PolicyProblem {
  /** From 1. */
  line: number;
  message: string;
}
export type PolicyResult = { ok: true; policy: Policy } | { ok: false; problem: PolicyProblem };

const MAX_RULES = 256;

class Problem extends Error {
  readonly offset: number;
  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

export function parsePolicy(text: string): PolicyResult {
  try {
    return { ok: true, policy: read(text) };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { ok: false, problem: { line: lineOf(text, error.offset), message: error.message } };
  }
}

/** The rules about one member. */
export function rulesFor(policy: Policy, person: Person): FilterRules {
  return compile(policy, (name) => isNamed(name, person)).rules;
}

const lineOf = (text: string, offset: number) => text.slice(0, offset).split('\n').length;

function read(text: string): Policy {
  if (text.length > POLICY_CHARACTERS) throw new Problem(0, `longer than ${POLICY_CHARACTERS} characters`);
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { allowTrailingComma: true });
  const [error] = errors;
  if (error) throw new Problem(error.offset, `not JSON: ${printParseErrorCode(error.error)}`);
  if (root?.type !== 'object') throw new Problem(0, 'a policy is an object: { "rules": [...] }');
  onlyKeys(root, ['groups', 'rules', 'tests']);
  const line = (node: Node) => lineOf(text, node.offset);
  const groups = readGroups(findNodeAtLocation(root, ['groups']));
  const rules = items(root, 'rules').map((node) => readRule(node, groups, line(node)));
  if (rules.length > MAX_RULES) throw new Problem(root.offset, `more than ${MAX_RULES} rules`);
  const tests = items(root, 'tests').map((node) => readTest(node, line(node)));
  const policy = { groups, rules, tests };
  for (const [index, node] of items(root, 'tests').entries()) runTest(policy, tests[index], index, node.offset);
  return policy;
}

function readGroups(node: Node | undefined): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  if (node === undefined) return groups;
  if (node.type !== 'object') throw new Problem(node.offset, '"groups" is an object of name and members');
  for (const property of node.children ?? []) {
    const [name, members] = property.children ?? [];
    if (name && members) groups.set(String(name.value), strings(members, 'a group is a list of members'));
  }
  return groups;
}

function readRule(node: Node, groups: ReadonlyMap<string, unknown>, line: number): PolicyRule {
  onlyKeys(node, ['action', 'from', 'to']);
  const action = need(node, 'action');
  if (action.value !== 'accept' && action.value !== 'deny') {
    throw new Problem(action.offset, '"action" is "accept" or "deny"');
  }
  const from = need(node, 'from');
  const names = strings(from, '"from" is a list of nicknames, keys, addresses, "group:NAME" or "*"');
  for (const name of names) {
    if (name.startsWith('group:') && !groups.has(name.slice(6))) {
      throw new Problem(from.offset, `there is no group ${JSON.stringify(name.slice(6))}`);
    }
  }
  const to = need(node, 'to');
  const targets = strings(to, '"to" is a list such as ["tcp:25565", "udp:6112-6119"]').flatMap((text) => {
    const target = parseTarget(text);
    if (target === null)
      throw new Problem(to.offset, `${JSON.stringify(text)} is no port: write tcp:25565 or udp:6112-6119`);
    return target;
  });
  return { action: action.value, from: names, targets, line };
}

function readTest(node: Node, line: number): PolicyTest {
  onlyKeys(node, ['from', 'accept', 'deny']);
  const from = need(node, 'from');
  if (from.type !== 'string') throw new Problem(from.offset, '"from" of a test is one member');
  const list = (key: string) => {
    const found = findNodeAtLocation(node, [key]);
    return found ? strings(found, `"${key}" of a test is a list of ports`) : [];
  };
  return { from: String(from.value), accept: list('accept'), deny: list('deny'), line };
}

function runTest(policy: Policy, test: PolicyTest | undefined, index: number, offset: number): void {
  if (test === undefined) return;
  const { rules, lines } = compile(policy, (name) => name === test.from);
  for (const wanted of ['accept', 'deny'] as const) {
    for (const text of test[wanted]) {
      const targets = parseTarget(text);
      if (targets === null) throw new Problem(offset, `${JSON.stringify(text)} in test ${index + 1} is no port`);
      const wrong = targets.flatMap(endsOf).map(({ protocol, port }) => evaluate(rules, protocol, port));
      const failed = wrong.find(({ accept }) => accept !== (wanted === 'accept'));
      if (!failed) continue;
      const who = failed.rule === null ? 'no rule accepts it' : `the rule in line ${lines[failed.rule]} decides`;
      const what = failed.accept ? 'may reach' : 'may not reach';
      throw new Problem(offset, `test ${index + 1} fails: ${test.from} ${what} ${text} (${who})`);
    }
  }
}

/** The ends of each range stand for it: rules are ranges too, and a test names what a person means. */
function endsOf({ protocol, ports }: Target): { protocol: 'tcp' | 'udp' | 'icmp'; port: number }[] {
  if (protocol === 'icmp') return [{ protocol, port: 0 }];
  const both = protocol === undefined ? (['tcp', 'udp'] as const) : [protocol];
  return both.flatMap((one) => (ports ?? [[0, 65_535]]).flat().map((port) => ({ protocol: one, port })));
}

/** The device's rules of all that name the member, and the line that each came from. */
function compile(policy: Policy, named: (name: string) => boolean): { rules: FilterRules; lines: number[] } {
  const inList = (names: readonly string[]): boolean =>
    names.some((name) => {
      if (name === '*' || named(name)) return true;
      return (
        name.startsWith('group:') && (policy.groups.get(name.slice(6)) ?? []).some((one) => one === '*' || named(one))
      );
    });
  const rules: FilterRule[] = [];
  const lines: number[] = [];
  for (const { action, from, targets, line } of policy.rules) {
    if (!inList(from)) continue;
    for (const target of targets) {
      rules.push({ action, ...target });
      lines.push(line);
    }
  }
  return { rules: { rules, otherwise: 'deny' }, lines };
}

/** A nickname that looks like a key or an address names nobody: members choose their nicknames. */
function isNamed(name: string, { nick, key, ipv4, ipv6 }: Person): boolean {
  if (/^[A-Za-z0-9+/]{43}=$/.test(name)) return name === key;
  if (/^[0-9a-f.:]*[.:][0-9a-f.:]*$/i.test(name)) return name === ipv4 || name === ipv6;
  return !name.startsWith('group:') && name.normalize('NFC') === nick;
}

function onlyKeys(node: Node, keys: string[]): void {
  if (node.type !== 'object') throw new Problem(node.offset, `an object with ${keys.join(', ')} is expected here`);
  for (const { children, offset } of node.children ?? []) {
    const name = String(children?.[0]?.value);
    if (!keys.includes(name))
      throw new Problem(offset, `${JSON.stringify(name)} is not known here: ${keys.join(', ')} are`);
  }
}

function need(node: Node, key: string): Node {
  const found = findNodeAtLocation(node, [key]);
  if (!found) throw new Problem(node.offset, `"${key}" is missing`);
  return found;
}

function items(root: Node, key: string): Node[] {
  const found = findNodeAtLocation(root, [key]);
  if (found && found.type !== 'array') throw new Problem(found.offset, `"${key}" is a list`);
  return found?.children ?? [];
}

function strings(node: Node, problem: string): string[] {
  const good = node.type === 'array' && (node.children ?? []).every(({ type }) => type === 'string');
  if (!good) throw new Problem(node.offset, problem);
  return (node.children ?? []).map(({ value }) => String(value));
}
