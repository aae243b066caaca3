import type { ReactNode } from 'react';
import { Shell } from './features/shell/shell.tsx';
import { Texts } from './i18n/text.tsx';
import { FaceContext } from './store/hooks.ts';
import type { Face } from './store/store.ts';

export function App({ face }: { face: Face }): ReactNode {
  return (
    <FaceContext value={face}>
      <Texts>
        <Shell />
      </Texts>
    </FaceContext>
  );
}
