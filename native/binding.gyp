{
  'includes': ['helper/helper.gypi'],
  'targets': [
    {
      'target_name': 'wireguard',
      'sources': [
        "<!@(node -p \"['noise','offload','queue','device','udp','tun','napi'].flatMap(d => require('fs').readdirSync('src/' + d).filter(f => f.endsWith('.cc')).map(f => 'src/' + d + '/' + f)).join(' ')\")"
      ],
      'include_dirs': ["<!(node -p \"require('node-addon-api').include_dir\")"],
      'defines': ['NAPI_VERSION=8', 'NAPI_CPP_EXCEPTIONS', 'NODE_ADDON_API_DISABLE_DEPRECATED', 'NODE_ADDON_API_REQUIRE_BASIC_FINALIZERS'],
      'cflags': ['-Wall', '-Wextra', '-Werror', '-O2', '-fvisibility=hidden'],
      'cflags!': ['-O3'],
      'cflags_cc!': ['-fno-exceptions', '-fno-rtti', '-std=gnu++17', '-std=gnu++20', '-O3'],
      'cflags_cc': ['-std=c++20', '-fexceptions', '-fvisibility=hidden', '-fvisibility-inlines-hidden'],
      # The host has an OpenSSL of its own: ours is inside and hidden. Worker threads unload addons; thread-local contexts of
      # ours must outlive that (nodelete).
      'libraries': ['-l:libcrypto.a', '-Wl,--exclude-libs,ALL', '-Wl,-z,nodelete', '-Wl,-z,now',
                    '-Wl,--version-script=<(module_root_dir)/src/napi/exports.map'],
    }
  ]
}
