/** How components reach the store. */
import { createContext, use } from 'react';
import { useStore } from 'zustand';
import type { AppState } from '../../protocol/face.ts';
import type { Face, FaceActions, FaceState } from './store.ts';

export const FaceContext = createContext<Face | null>(null);

function useFaceStore(): Face {
  const face = use(FaceContext);
  if (face === null) throw new Error('no FaceContext above');
  return face;
}

export function useFace<T>(select: (state: FaceState) => T): T {
  return useStore(useFaceStore().state, select);
}

/** A part of the app's state. Only below the shell, which waits for the first state. */
export function useApp<T>(select: (app: AppState) => T): T {
  return useFace(({ app }) => {
    if (app === null) throw new Error('the app has not told its state yet');
    return select(app);
  });
}

export function useActions(): FaceActions {
  return useFaceStore().actions;
}
