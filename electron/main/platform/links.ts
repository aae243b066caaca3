/** Making the system open `warren://` links with this app. */
import { app } from 'electron';

/**
 * The trailing `--` makes everything that the system puts behind it an argument, never an option. In a checkout nothing is
 * registered, and on Linux the package's desktop entry says the same (electron-builder.yml).
 */
export function registerLinks(): void {
  if (app.isPackaged && process.platform === 'win32')
    app.setAsDefaultProtocolClient('warren', process.execPath, ['--']);
}
