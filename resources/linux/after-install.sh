#!/bin/sh
# Of the deb package. Makes the privileged helper usable by members of the group `warren`, and by nobody else.
set -e

folder='/opt/${sanitizedProductName}'
helper="$folder/resources/app.asar.unpacked/native/build/Release/warren-tun-helper"

ln -sf "$folder/${executable}" '/usr/bin/${executable}'
# Chromium's sandbox, for systems on which user namespaces are not for everybody.
chmod 4755 "$folder/chrome-sandbox"

getent group warren >/dev/null || groupadd --system warren
chown root:warren "$helper"
chmod 0750 "$helper"
setcap cap_net_admin,cap_net_raw+ep "$helper"

# Whoever installs it wants to use it; others are added with: usermod -aG warren NAME
user="${SUDO_USER:-}"
if [ -z "$user" ] && [ -n "${PKEXEC_UID:-}" ]; then
  user=$(getent passwd "$PKEXEC_UID" | cut -d: -f1)
fi
if [ -n "$user" ] && [ "$user" != root ]; then
  usermod -aG warren "$user"
  echo "warren: $user is in the group warren from the next login on"
fi

update-desktop-database -q /usr/share/applications 2>/dev/null || true
