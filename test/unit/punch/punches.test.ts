/** The one hard plan of a client: when it begins, what ends it, and what is left of it. */
import { describe, expect, it } from 'vitest';
import type { PunchMessage } from '../../../protocol/punch.ts';
import { Client, EASY, RANDOM } from './client.ts';

function plans(client: Client): PunchMessage[] {
  return client.sent.flatMap(({ message }) => (message.t === 'punch-plan' ? [message] : []));
}

/** A client that leads a punch with one member, who has accepted it. */
async function probing(): Promise<Client> {
  const client = new Client(RANDOM);
  client.join('ann', EASY);
  await client.run(500);
  await accepted(client);
  return client;
}

async function accepted(client: Client): Promise<void> {
  const plan = plans(client).at(-1);
  if (plan === undefined) throw new Error('there is no plan');
  client.hears('ann', { t: 'punch-accept', id: plan.id });
  await client.run(500);
  expect(client.punches.view('ann')?.phase).toBe('probing');
}

describe('a path that is lost just after it was nominated', () => {
  it('is followed by another attempt, and not before the one that found it is closed', async () => {
    const client = await probing();
    client.direct.add('ann');
    await client.run(100);
    client.hears('ann', { t: 'punch-nominated', id: plans(client)[0]?.id ?? '' });
    await client.run(500);
    expect(client.punches.view('ann')?.phase).toBe('closing');
    client.direct.delete('ann');
    await client.run(1_000);
    expect(plans(client)).toHaveLength(1);
    await client.run(2_500);
    expect(plans(client)).toHaveLength(2);
    await accepted(client);
  });
});
