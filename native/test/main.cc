#include "check.h"

int main(int count, char** arguments) {
  for (const check::Case& test : check::cases()) {
    if (count < 2) std::puts(test.name.c_str());
    if (count > 1 && test.name == arguments[1]) {
      test.run();
      return 0;
    }
  }
  return count < 2 ? 0 : 2;
}
