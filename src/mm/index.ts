/** The engine's own entry: what `revmap/mm` gives. It needs neither Node nor a browser. */
export {};
