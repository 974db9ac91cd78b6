/** Faults of libraries that are known upstream and not mended there yet. Each goes when its library does without it. */
export const patches = [
  {
    // postgres 3.4.9: a write that was put off until after its connection was lost threw out of every handler, and what was left to be written spoilt the
    // next connection (its issues 1066, 1154, 1208).
    file: "node_modules/postgres/src/connection.js",
    changes: [
      [
        "  function nextWrite(fn) {\n    const x = socket.write(chunk, fn)\n",
        "  function nextWrite(fn) {\n    if (!socket) {\n      chunk = nextWriteTimer = null\n      error(Errors.connection('CONNECTION_CLOSED', options))\n      return false\n    }\n    const x = socket.write(chunk, fn)\n",
      ],
      [
        "    clearImmediate(nextWriteTimer)\n    socket.removeListener('data', data)\n    socket.removeListener('connect', connected)\n    idleTimer",
        "    clearImmediate(nextWriteTimer)\n    chunk = nextWriteTimer = null\n    socket.removeListener('data', data)\n    socket.removeListener('connect', connected)\n    idleTimer",
      ],
    ],
  },
];
