// Starts `ptc lsp` for the `.ptx` models of a project. The extension `.ptx` is NVIDIA's too: files that begin as one of its
// modules are left alone.

"use strict";

const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

const LANGUAGE = "ptx-private";

let client;

async function start(context) {
  const settings = vscode.workspace.getConfiguration("ptc");
  const command = settings.get("path") || "ptc";
  const args = ["lsp", ...(settings.get("arguments") || [])];
  const server = { command, args };
  const watcher = vscode.workspace.createFileSystemWatcher("**/*.{ptx,ranges.json}");
  context.subscriptions.push(watcher);
  client = new LanguageClient("ptc", "ptx: private inference", server, {
    documentSelector: [{ scheme: "file", language: LANGUAGE }],
    synchronize: { fileEvents: watcher },
  });
  try {
    await client.start();
  } catch (error) {
    client = undefined;
    vscode.window.showErrorMessage(
      `\`${command} lsp\` cannot be started: ${error.message}. Install ptc, or set \`ptc.path\`.`,
    );
  }
}

async function stop() {
  const running = client;
  client = undefined;
  if (running) {
    await running.stop();
  }
}

// The first line that is neither empty nor a comment decides, as it does for `ptc`.
function isNvidia(document) {
  for (let at = 0; at < document.lineCount; at++) {
    const line = document.lineAt(at).text.trim();
    if (line !== "" && !line.startsWith("//")) {
      return /^\.(version|target|address_size)\b/.test(line);
    }
  }
  return false;
}

async function associate(document) {
  const isOurs = document.uri.scheme === "file" && document.fileName.endsWith(".ptx") && !isNvidia(document);
  if (isOurs && document.languageId !== LANGUAGE) {
    await vscode.languages.setTextDocumentLanguage(document, LANGUAGE);
  }
}

async function activate(context) {
  context.subscriptions.push(
    vscode.workspace.onDidOpenTextDocument(associate),
    vscode.commands.registerCommand("ptc.restart", async () => {
      await stop();
      await start(context);
    }),
    vscode.workspace.onDidChangeConfiguration(async (change) => {
      if (change.affectsConfiguration("ptc")) {
        await stop();
        await start(context);
      }
    }),
  );
  await Promise.all(vscode.workspace.textDocuments.map(associate));
  await start(context);
}

module.exports = { activate, deactivate: stop, isNvidia };
