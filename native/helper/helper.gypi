# The privileged TUN opener, included by ../binding.gyp; paths are relative to this file.
{
  'conditions': [
    ['OS=="linux"', {
      'targets': [{
        'target_name': 'warren-tun-helper',
        'type': 'executable',
        'sources': [
          'main.cc',
          'policy.cc',
          'rights.cc',
          '../src/tun/linux_helper_wire.cc',
          '../src/tun/linux_netlink.cc',
          '../src/tun/linux_packet_socket.cc',
          '../src/tun/linux_prefix.cc',
          '../src/tun/linux_status.cc',
          '../src/tun/linux_tun.cc',
        ],
        'cflags!': ['-fno-exceptions'],
        'cflags_cc!': ['-fno-exceptions', '-fno-rtti', '-std=gnu++17'],
        'cflags_cc': ['-std=c++20', '-fexceptions', '-Wall', '-Wextra', '-Werror', '-D_FORTIFY_SOURCE=2',
                      '-fstack-protector-strong', '-fPIE'],
        # Privileged: no library of ours to plant, addresses unpredictable, tables read-only.
        'ldflags!': ['-rdynamic'],
        'ldflags': ['-static-libstdc++', '-static-libgcc', '-pie', '-Wl,-z,relro,-z,now'],
      }],
    }],
  ],
}
