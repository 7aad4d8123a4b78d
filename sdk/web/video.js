// Plays the videos of a world's glTF scene on their panels, in three.js.
//
// A panel hangs in a node whose `extras.openslot.video` says what plays there (spec/slot.md, `accepts.media`). Its poster is
// shown until the first frame is there, and stays where nothing plays. Videos start muted, as browsers ask; a viewer's
// click on a panel lets it be heard, another mutes it again.

/**
 * Starts all videos below `root`. Returns { panels, click, dispose }.
 *
 * @param {object} THREE the three.js module the scene was made with
 * @param {object} root a scene as GLTFLoader gives it
 * @param {(said: {sha256: string, media_type: string}) => string} addressOf where the checked bytes of a video are
 */
export function playVideos(THREE, root, addressOf) {
  const panels = [];
  root.traverse((node) => {
    const said = node.userData.openslot?.video;
    if (said) panels.push(new Panel(THREE, node, said, addressOf(said)));
  });
  return {
    panels,
    /** Takes a viewer's click as a Raycaster; returns the panel that was hit, if one was. */
    click(raycaster) {
      const hits = raycaster.intersectObject(root, true);
      const panel = hits.length ? panels.find((each) => each.holds(hits[0].object)) : undefined;
      panel?.toggleSound();
      return panel;
    },
    dispose() {
      panels.forEach((panel) => panel.dispose());
      panels.length = 0;
    },
  };
}

class Panel {
  constructor(THREE, node, said, address) {
    this.node = node;
    this.said = said;
    this.video = Object.assign(document.createElement("video"), {
      crossOrigin: "anonymous", src: address, muted: true, loop: said.loop !== false, playsInline: true, preload: "auto",
    });
    this.texture = new THREE.VideoTexture(this.video);
    this.texture.flipY = false; // a glTF picture begins at the top
    this.texture.colorSpace = THREE.SRGBColorSpace;
    this.posters = new Map();
    this.video.addEventListener("playing", () => this.#show(), { once: true });
    this.playing = this.video.play().then(() => true, () => false); // where it cannot play, the poster stays
  }

  get muted() {
    return this.video.muted;
  }

  holds(object) {
    for (let at = object; at; at = at.parent) if (at === this.node) return true;
    return false;
  }

  toggleSound() {
    if (!this.said.sound) return;
    this.video.muted = !this.video.muted;
    if (this.video.paused) this.video.play().catch(() => {}); // a click may start what a browser would not
  }

  dispose() {
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
    this.posters.forEach((map, material) => this.#wear(material, map));
    this.texture.dispose();
  }

  #show() {
    this.node.traverse(({ material }) => {
      if (!material?.map || this.posters.has(material)) return;
      this.posters.set(material, material.map);
      this.#wear(material, this.texture);
    });
  }

  #wear(material, map) {
    material.map = map;
    material.needsUpdate = true;
  }
}
