// Browsers start no workers for pages opened from the disk, and the search is one. There it runs in a hidden frame instead,
// with the messages of a worker.
if (location.protocol === "file:") {
  self.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.append(this.frame);
      const inner = this.frame.contentDocument;
      inner.open();
      inner.write(`<script>postMessage = message => parent.postMessage(message, "*")</script><script src="${url}"></script>`);
      this.ready = new Promise(resolve => this.frame.contentWindow.addEventListener("load", resolve));
      inner.close();
      addEventListener("message", event => {
        if (event.source === this.frame.contentWindow) {
          this.dispatchEvent(new MessageEvent("message", {data: event.data}));
        }
      });
    }

    postMessage(message) {
      this.ready.then(() => this.frame.contentWindow.dispatchEvent(new MessageEvent("message", {data: message})));
    }

    terminate() {
      this.frame.remove();
    }
  };
}
