/** Going to the place of the app where a sample is looked at, as a person would. */
import { en, type Messages } from '../../renderer/i18n/en.ts';
import { zhCN } from '../../renderer/i18n/zh-CN.ts';
import { NOW } from './fixtures/members.ts';
import { app, type Sample, type View } from './fixtures/sample.ts';
import type { Language, RendererPage } from './renderer-page.ts';

export const WORDS: Record<Language, Messages> = { en, 'zh-CN': zhCN };

/** Shows the sample's state and goes to its view; leaves open whatever it says is open. */
export async function enter(renderer: RendererPage, sample: Sample): Promise<void> {
  const { page } = renderer;
  // From the first screen on, where nothing of the sample before is open or remembered.
  await renderer.app.setLink(true);
  await renderer.show(app());
  await goTo(renderer, sample.view ?? 'main');
  for (const [index, state] of (sample.before ?? []).entries()) {
    await page.clock.setFixedTime(NOW - ((sample.before?.length ?? 0) - index) * 1_000);
    await renderer.show(state);
  }
  await page.clock.setFixedTime(NOW);
  await renderer.show(sample.state);
  await renderer.app.setLink(sample.linkLost !== true);
  if (sample.member !== undefined) await openMember(renderer, sample.member);
  if (sample.discoveryCheck) await checkDiscovery(renderer);
  if (sample.press) await press(renderer, sample.press(WORDS[renderer.language]));
}

/** What it opens is modal. */
async function press({ page }: RendererPage, name: string): Promise<void> {
  await page.getByRole('button', { name, exact: true }).click();
  await page.getByRole('dialog').waitFor();
}

async function goTo({ page, language }: RendererPage, view: View): Promise<void> {
  const { nav } = WORDS[language];
  await page.getByRole('navigation', { name: nav.label }).getByRole('button', { name: nav[view], exact: true }).click();
}

async function checkDiscovery({ page, language }: RendererPage): Promise<void> {
  const { games } = WORDS[language];
  await page.getByRole('button', { name: games.checkNow }).click();
  await page.getByText(games.multicastOnly).waitFor();
  await page.getByText(games.loops).scrollIntoViewIfNeeded();
}

async function openMember({ page, language }: RendererPage, nick: string): Promise<void> {
  const label = new RegExp(WORDS[language].member.open.replace('{nick}', `.?${nick}.?`));
  await page.getByRole('button', { name: label }).click();
}
