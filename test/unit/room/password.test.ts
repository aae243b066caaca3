import { describe, expect, it } from 'vitest';
import { GuessLimits } from '../../../engine/core/room/guess-limits.ts';
import { together, World } from './harness.ts';

describe('a wrong password', () => {
  it('ends the one who came later, after ten seconds, and tells the one who was there', () => {
    const world = new World();
    const ann = world.node({ name: 'ann' }).start();
    world.run(1_000);
    const eve = world.node({ name: 'eve', password: 'guess' }).start();
    world.run(9_000);
    expect(eve.fatal()).toBeNull();
    world.run(2_500);
    expect(eve.fatal()).toBe('wrong-password');
    expect(eve.notices()).toContain('wrong-password');
    expect(ann.fatal()).toBeNull();
    expect(ann.notices()).toContain('failed-guess');
    expect(ann.count('peer-up') + eve.count('peer-up')).toBe(0);
    expect(eve.memory?.prs ?? null).toBeNull();
  });

  it('does not end one who came to create the room', () => {
    const world = new World();
    world.node({ name: 'ann' }).start();
    world.run(1_000);
    const eve = world.node({ name: 'eve', password: 'other', create: true }).start();
    world.run(15_000);
    expect(eve.fatal()).toBeNull();
    expect(eve.notices()).toContain('wrong-password');
    expect(eve.core.view().state).toBe('joined');
    expect(eve.core.view().ipv4).not.toBeNull();
  });

  it('never ends one who has proved somebody, whoever else fails', () => {
    const world = new World();
    const eve = world.node({ name: 'eve', password: 'guess' }).start();
    const ann = world.node({ name: 'ann' }).start();
    world.run(1_000);
    const bob = world.node({ name: 'bob' }).start();
    world.until(() => together(ann, bob));
    world.run(60_000);
    expect(bob.fatal()).toBeNull();
    expect(eve.core.view().members).toEqual([]);
  });

  it('does not end one who meets only sessions that nobody answers for', () => {
    const world = new World();
    world.tamper = () => null;
    world.node({ name: 'ghost' }).start();
    world.run(500);
    const ann = world.node({ name: 'ann' }).start();
    world.run(60_000);
    expect(ann.fatal()).toBeNull();
    expect(ann.core.view().state).toBe('joined');
  });
});

describe('guess limits', () => {
  it('give a source three runs a minute, and the room twenty', () => {
    const limits = new GuessLimits();
    const taken = (now: number, source: string) => limits.take(now, source, false) !== null;
    expect([0, 1, 2, 3].map((now) => taken(now, 'a'))).toEqual([true, true, true, false]);
    const others = Array.from({ length: 20 }, (_, i) => taken(10, `source ${i}`));
    expect(others.filter(Boolean)).toHaveLength(17);
    expect(taken(60_001, 'a')).toBe(true);
  });

  it('keep a larger bucket for holders of the room tag', () => {
    const limits = new GuessLimits();
    for (let i = 0; i < 30; i++) limits.take(0, `source ${i}`, false);
    expect(limits.take(1, 'member', false)).toBeNull();
    expect(limits.take(1, 'member', true)).not.toBeNull();
  });

  it('forget a run that ended in a proof', () => {
    const limits = new GuessLimits();
    for (let i = 0; i < 10; i++) {
      const ticket = limits.take(i, 'a', false);
      expect(ticket).not.toBeNull();
      if (ticket) limits.refund(ticket);
    }
  });

  it('let a guesser guess three times a minute at most', () => {
    const world = new World();
    const ann = world.node({ name: 'ann' }).start();
    world.run(500);
    for (let i = 0; i < 12; i++) {
      world.node({ name: `eve${i}`, password: `guess ${i}`, source: 'eve' }).start();
      world.run(2_000);
    }
    const guesses = ann.notices().filter((notice) => notice === 'failed-guess');
    expect(guesses).toHaveLength(3);
  });

  it('do not let strangers lock out a member that has the room tag', () => {
    const world = new World();
    const ann = world.node({ name: 'ann' }).start();
    const bob = world.node({ name: 'bob' }).start();
    world.until(() => together(ann, bob));
    bob.kill();
    for (let i = 0; i < 22; i++) {
      const eve = world.node({ name: `eve${i}`, password: `guess ${i}` }).start();
      world.run(400);
      if (i < 18) eve.kill();
    }
    const failed = ann.notices().filter((notice) => notice === 'failed-guess').length;
    expect(failed).toBe(20);
    const newcomer = world.node({ name: 'cas' }).start();
    const back = world.node({ name: 'bob', memory: bob.memory, seed: 'bob 2' }).start();
    world.until(() => together(ann, back), 10_000, 50);
    expect(ann.proved(newcomer)).toBe(false);
  });
});
