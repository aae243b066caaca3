/** Names and passwords to offer: easy to say over a voice chat, and, for passwords, too many to guess. */

const WORDS =
  'acorn amber anchor apple arrow aspen autumn badger bamboo basil beacon beaver birch bison blaze bramble breeze bridge bronze brook bubble burrow butter cactus camel candle canoe canyon carbon castle cedar cherry cider cinder circus clover cobalt cocoa comet copper coral cosmic cotton cousin coyote cradle crane crater cricket crystal cypress daisy dancer dawn deer denim desert dolphin donkey dragon drift dune dusty eagle early echo elder ember emerald engine falcon feather fennel fern fiddle finch flame flint flora fossil foxes frost gala garden garlic geyser giant ginger glacier glider glow goblin golden goose granite grape gravel grove guitar hamlet harbor hazel heron hill hollow honey hornet hunter icicle indigo iris island ivory jacket jaguar jasmine jelly jigsaw jolly jungle juniper kayak kettle kiwi knight koala ladder lagoon lantern larch lava lemon lilac linen lion lizard llama lobster lotus lucky lunar lynx magic magnet mango maple marble marmot marsh meadow mellow melon meteor mint mirror misty mole monsoon moose mosaic moss mouse muffin nectar needle nettle night noble north nutmeg oak oasis ocean olive onion opal orbit orchid otter owl oyster panda paper parrot peach pebble pelican penguin pepper petal phoenix pigeon pilot pine pirate planet plaza plum pocket polar pollen pond poppy prairie prism puffin pumpkin puzzle quail quartz quiet quill rabbit raccoon rainy raven reef ribbon river robin rocket root rose rowan ruby saddle saffron salmon sandy sapphire satin scarlet shadow shell shore silver silent sky sloth snow solar sonic spark sparrow spice spiral spring spruce squid squirrel star stone stork storm summer sunny swan swift syrup tango teapot temple thistle thunder tiger timber toffee topaz torch tulip tundra turtle twilight valley vanilla velvet violet walnut walrus warm water weasel whale wheat whisper willow window winter wizard wolf wombat wonder yellow zebra zephyr'.split(
    ' ',
  );

/** Uniform random bytes, cryptographically strong for passwords. */
export type RandomBytes = (length: number) => Uint8Array;

const PASSWORD_WORDS = 5;
const PASSWORD_DIGITS = 6;

/** Bits of entropy of a suggested password. */
export const PASSWORD_BITS = PASSWORD_WORDS * Math.log2(WORDS.length) + PASSWORD_DIGITS * Math.log2(10);

/** Such as `lantern-otter-42`. */
export function suggestRoomName(random: RandomBytes): string {
  return `${word(random)}-${word(random)}-${below(random, 90) + 10}`;
}

/** Such as `maple-otter-quartz-kayak-lemon-047293`; `PASSWORD_BITS` of entropy. */
export function suggestPassword(random: RandomBytes): string {
  const words = Array.from({ length: PASSWORD_WORDS }, () => word(random));
  const digits = Array.from({ length: PASSWORD_DIGITS }, () => below(random, 10));
  return `${words.join('-')}-${digits.join('')}`;
}

function word(random: RandomBytes): string {
  return WORDS[below(random, WORDS.length)] ?? '';
}

/** Uniform below `limit` (at most 65,536): values in the last incomplete stretch are drawn again. */
function below(random: RandomBytes, limit: number): number {
  const fair = 65_536 - (65_536 % limit);
  for (;;) {
    const [high = 0, low = 0] = random(2);
    const value = high * 256 + low;
    if (value < fair) return value % limit;
  }
}
