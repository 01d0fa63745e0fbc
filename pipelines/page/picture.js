// Pictures of a camera or a shared screen, small enough for one message.

const LARGEST_SIDE = 1024;
const LARGEST_CHARACTERS = 240_000;

export class Pictures {
  // Called with the name of the source and the picture as base64 JPEG.
  onPicture = (_source, _data) => {};
  onEnd = (_source) => {};
  // The browser or its user has ended it, and not this page.
  onLost = (_source) => {};

  constructor(preview) {
    this.preview = preview;
    this.source = null;
  }

  async begin(source) {
    this.end();
    const devices = navigator.mediaDevices;
    const stream = await (source === "camera"
      ? devices.getUserMedia({ video: { width: { ideal: 1280 } } })
      : devices.getDisplayMedia({ video: true }));
    this.source = source;
    this.stream = stream;
    stream.getVideoTracks()[0].addEventListener("ended", () => {
      if (this.stream !== stream || !this.source) return;
      this.end();
      this.onLost(source);
    });
    this.preview.srcObject = stream;
    this.preview.hidden = false;
    await this.preview.play();
    this.take();
  }

  end() {
    if (!this.source) return;
    const source = this.source;
    this.source = null;
    for (const track of this.stream.getTracks()) track.stop();
    this.preview.srcObject = null;
    this.preview.hidden = true;
    this.onEnd(source);
  }

  // Show the agent what there is to be seen now: at the beginning of each turn, and no more often.
  take() {
    if (!this.source) return;
    const { videoWidth: width, videoHeight: height } = this.preview;
    if (!width) return;
    for (const [side, quality] of [[LARGEST_SIDE, 0.8], [768, 0.6], [512, 0.5]]) {
      const scale = Math.min(1, side / Math.max(width, height));
      const canvas = document.createElement("canvas");
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
      canvas.getContext("2d").drawImage(this.preview, 0, 0, canvas.width, canvas.height);
      const data = canvas.toDataURL("image/jpeg", quality).split(",")[1];
      if (data.length <= LARGEST_CHARACTERS) {
        if (data !== this.last) this.onPicture(this.source, data);
        this.last = data;
        return;
      }
    }
  }
}
