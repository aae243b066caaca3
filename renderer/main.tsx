/** The page: finds the app behind it, and draws the window. */
// oxlint-disable-next-line import/no-unassigned-import -- it must run before the schemas are made
import './policy.ts';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import type { AppClient } from '../protocol/face.ts';
import { createFace } from './store/store.ts';
import { createWebClient } from './transport/web.ts';

declare global {
  interface Window {
    /** Exposed by the desktop app's preload. */
    warren?: AppClient;
    /** Set by a test before the page loads. */
    __warrenTestClient?: AppClient;
  }
}

const { __warrenTestClient: testClient, warren } = window;
const face = createFace(testClient ?? warren ?? createWebClient());
const root = document.querySelector('#root');
if (root === null) throw new Error('the page has no #root');
createRoot(root).render(<App face={face} />);
