/** What hostile code tries, and what comes of it: the rows of `result`, or a message. All of it holds as root and as an ordinary user. */
export interface Attack {
  name: string;
  code: string;
  /** The result's text, or a part of the error's message. */
  answer?: string;
  message?: string;
  /** Only here: a limit that is met soon. */
  limits?: { seconds?: number; cpuSeconds?: number; memoryBytes?: number; fileBytes?: number };
}

/** Answers the text of an expression, or of the exception that it raised. */
const told = (statements: string) =>
  `try:\n${statements.replace(/^/gm, "  ")}\nexcept Exception as error:\n  answer = type(error).__name__\nresult = pd.DataFrame({'answer': [answer]})`;

export function attacks(ourDirectory: string): Attack[] {
  return [
    {
      name: "connects to the network",
      code: told("import socket\nsocket.create_connection(('1.1.1.1', 53), 2)\nanswer = 'connected'"),
      answer: "OSError\n",
    },
    {
      name: "connects to this machine",
      code: told("import socket\nsocket.create_connection(('127.0.0.1', 22), 2)\nanswer = 'connected'"),
      answer: "ConnectionRefusedError\n",
    },
    {
      name: "reads /etc/shadow",
      code: told("answer = open('/etc/shadow').read()"),
      answer: "FileNotFoundError\n",
    },
    {
      name: "lists /root",
      code: told("import os\nanswer = str(os.listdir('/root'))"),
      answer: "FileNotFoundError\n",
    },
    {
      name: "lists the data directory",
      code: told(`import os\nanswer = str(os.listdir(${JSON.stringify(ourDirectory)}))`),
      answer: "FileNotFoundError\n",
    },
    {
      name: "lists the root",
      code: told("import os\nanswer = ' '.join(sorted(os.listdir('/')))"),
      answer: "bin dev etc lib lib64 proc tmp usr\n",
    },
    {
      name: "reads its environment",
      code: told("import os\nanswer = ' '.join(sorted(os.environ))"),
      answer: "HOME LANG OMP_NUM_THREADS OPENBLAS_NUM_THREADS PATH PWD\n",
    },
    {
      name: "reads the environments of all processes",
      code: told(
        "import os\nanswer = ''\nfor p in os.listdir('/proc'):\n  if p.isdigit():\n    try:\n      answer += open('/proc/' + p + '/environ').read()\n    except PermissionError:\n      pass\nanswer = str('SECRET' in answer or 'DATABASE' in answer)",
      ),
      answer: "False\n",
    },
    {
      name: "writes outside",
      code: told(
        "answer = []\nfor p in ('/x', '/usr/x', '/usr/bin/x', '/etc/x', '/dev/x', '/dev/shm/x', '/proc/sys/kernel/hostname'):\n  try:\n    open(p, 'w').write('x')\n    answer.append(p)\n  except OSError:\n    pass\nanswer = str(answer)",
      ),
      answer: "[]\n",
    },
    {
      name: "walks out through /proc",
      code: told(
        "import os\nfound = []\nfor p in ('/proc/1/root/root', '/proc/1/cwd/../root', '/proc/self/root/etc/shadow'):\n  try:\n    os.stat(p)\n    found.append(p)\n  except OSError:\n    pass\nanswer = str(found)",
      ),
      answer: "[]\n",
    },
    {
      name: "forks 5,000 times",
      code: "import os, time\nfor i in range(5000):\n  if os.fork() == 0:\n    time.sleep(60)",
      message: "may start no processes",
    },
    {
      name: "starts a program",
      code: "import subprocess\nsubprocess.run(['/bin/true'])",
      message: "may start no processes",
    },
    {
      name: "starts 5,000 threads",
      code: "import threading, time\nfor i in range(5000):\n  threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
      message: "at most 64 threads",
    },
    {
      name: "forks by a bare system call",
      code: told(
        "import ctypes\nanswer = ' '.join(str(ctypes.CDLL(None).syscall(n, 17, 0, 0, 0, 0)) for n in (56, 57, 58, 435))",
      ),
      answer: "-1 -1 -1 -1\n",
    },
    {
      name: "makes a user namespace",
      code: told("import ctypes\nanswer = str(ctypes.CDLL(None).unshare(0x10000000))"),
      answer: "-1\n",
    },
    { name: "loops for ever", code: "while True: pass", message: "3 seconds", limits: { seconds: 3 } },
    {
      name: "burns the processor",
      code: "while True: pass",
      message: "1 CPU seconds",
      limits: { cpuSeconds: 1 },
    },
    {
      name: "burns the processor and ignores the warning",
      code: "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass",
      message: "killed",
      limits: { cpuSeconds: 1 },
    },
    { name: "takes 10 GB", code: "x = bytearray(10 * 1024 ** 3)", message: "2048 MB of memory (line 1)" },
    {
      name: "takes memory little by little",
      code: "x = []\nwhile True:\n  x.append(bytearray(1 << 20))",
      message: "2048 MB of memory",
    },
    {
      name: "writes 10 GB to /tmp",
      code: told(
        "f = open('/tmp/x', 'wb')\nfor i in range(10 * 1024):\n  f.write(bytes(1 << 20))\nanswer = 'written'",
      ),
      answer: "OSError\n",
    },
    {
      name: "answers more than it may",
      code: "pd.DataFrame({'a': ['x' * 1000000]}).loc[[0] * 100]",
      message: "writes more than its 10 MB",
      limits: { fileBytes: 10 << 20 },
    },
    {
      name: "kills its parent and everybody",
      code: told(
        "import os\nfor p in (os.getppid(), 1, -1):\n  try:\n    os.kill(p, 9)\n  except OSError:\n    pass\nanswer = 'alive'",
      ),
      answer: "alive\n",
    },
    { name: "ends at once", code: "import os\nos._exit(0)", message: "no result" },
    { name: "crashes", code: "import ctypes\nctypes.string_at(0)", message: "signal 11" },
    {
      name: "leaves garbage",
      code: "import os, sys\nfor fd in range(3, 20):\n  try:\n    os.write(fd, os.urandom(100000))\n  except OSError:\n    pass\nos._exit(0)",
      message: "not its result",
    },
    {
      name: "leaves rows of a wrong width",
      code: `import os, json\nh = json.dumps({'columns': [{'name': 'a', 'type': {'kind': 'text'}, 'nullable': True}], 'rows': 1})\nfor fd in range(3, 20):\n  try:\n    os.write(fd, (h + '\\na\\tb\\n').encode())\n  except OSError:\n    pass\nos._exit(0)`,
      message: "not its result",
    },
    {
      name: "leaves fewer rows than it says",
      code: `import os, json\nh = json.dumps({'columns': [{'name': 'a', 'type': {'kind': 'text'}, 'nullable': True}], 'rows': 2})\nfor fd in range(3, 20):\n  try:\n    os.write(fd, (h + '\\na\\n').encode())\n  except OSError:\n    pass\nos._exit(0)`,
      message: "not its result",
    },
    {
      name: "raises what cannot be told",
      code: "class E(Exception):\n  def __str__(self): raise Exception('again')\nraise E()",
      message: "E (line 3)",
    },
    {
      name: "replaces what our program uses",
      code: "import json, builtins\njson.dumps = None\nbuiltins.map = None\ndf",
      message: "",
    },
  ];
}
