"""Every sentence that set-up says, in Japanese and English.

A fault's sentence has two parts: what is wrong, and after the line break what to do.
"""

from typing import NamedTuple


class Text(NamedTuple):
    """One sentence in both languages; ``{places}`` are filled in when it is said."""

    ja: str
    en: str


STEPS = {
    "start": Text(
        "準備をしています(初回だけ、数分かかります)。詳しい記録: {log}",
        "Setting up (only this once; it takes minutes). Details: {log}",
    ),
    "wait": Text(
        "ほかの ./kazasu が同じ作業をしています。終わるまで待ちます。",
        "Another ./kazasu is at the same work; waiting until it is done.",
    ),
    "apt": Text("Debian のパッケージを入れています: {names}", "Debian packages: {names}"),
    "lists": Text("Debian のパッケージ一覧を取得しています", "Debian's package lists"),
    "fetch": Text(
        "インストールせずに使う部品を取得しています({count} 個)",
        "Parts that are used without being installed ({count} packages)",
    ),
    "venv": Text("Python の仮想環境を作っています", "Virtual environment"),
    "build": Text("組み立て用の道具を入れています", "Build tools"),
    "libraries": Text("Python のライブラリを入れています", "Python libraries"),
    "busy": Text("  ... 続けています", "  ... still at it"),
    "ready": Text("準備ができました。", "Ready."),
    "check": Text("点検: {names}", "Check: {names}"),
    "core": Text("中核(terminal/core)の分岐網羅", "Branch coverage of terminal/core"),
    "tests": Text("テスト(Python {version})", "Tests (Python {version})"),
    "chroot": Text("まっさらな Debian 13 を作っています", "Making a fresh Debian 13"),
    "chroot-stale": Text(
        "Debian 13 を新しくできませんでした。{days} 日前のものを使います。",
        "Debian 13 could not be refreshed; using the one of {days} days ago.",
    ),
    "pcscd": Text(
        "カード読み取り（pcscd）の試験の結果を待ちます",
        "Waiting for the tests with pcscd, which ran beside these",
    ),
    "chroot-tests": Text(
        "まっさらな Debian 13 で ./kazasu test を動かします",
        "./kazasu test on the fresh Debian 13",
    ),
    "failed": Text("失敗: {names}", "Failed: {names}"),
    "took": Text("所要時間 {seconds} 秒", "{seconds} s in all"),
}

FAULTS = {
    "python-old": Text(
        "Python {version} では動きません。3.11 以上が必要です。\n"
        "Debian 12 以降、または 64 ビットの Raspberry Pi OS (bookworm 以降) でお使いください。",
        "Python {version} is too old: 3.11 or newer is needed.\n"
        "Use Debian 12 or newer, or 64-bit Raspberry Pi OS (bookworm or newer).",
    ),
    "machine": Text(
        "この機械 ({machine}) には使える部品がありません。\n"
        "64 ビットの PC (x86_64) か、64 ビットの Raspberry Pi OS (aarch64) でお使いください。",
        "There are no libraries for this kind of machine ({machine}).\n"
        "Use a 64-bit PC (x86_64) or 64-bit Raspberry Pi OS (aarch64).",
    ),
    "no-apt": Text(
        "apt-get が見つかりません。\n"
        "Debian 12、Debian 13 または Raspberry Pi OS でお使いください。"
        "ほかの環境では次に当たるものを自分で入れてください: {names}",
        "There is no apt-get here.\n"
        "Use Debian 12, Debian 13 or Raspberry Pi OS. Elsewhere install the like of these "
        "yourself: {names}",
    ),
    "rights": Text(
        "Debian のパッケージを入れる権限がありません: {names}\n"
        "管理者が次を一度だけ実行してから、もう一度同じ命令を実行してください:\n"
        "  sudo apt-get update && sudo apt-get install --no-install-recommends {names}",
        "No right to install Debian packages: {names}\n"
        "Let an administrator run this once, then repeat your command:\n"
        "  sudo apt-get update && sudo apt-get install --no-install-recommends {names}",
    ),
    "network": Text(
        "ネットワークにつながらず、{what} を取得できません。\n"
        "接続を確かめて同じ命令をもう一度実行してください(続きから始まります)。詳細: {log}",
        "No network: {what} could not be fetched.\n"
        "Check the connection and repeat your command (it goes on where it stopped). "
        "Details: {log}",
    ),
    "certificate": Text(
        "{what}: 取得先の証明書を確かめられません。\n"
        "組織のプロキシを通る場合は、その認証局の証明書を pip に教えてください: "
        "pip config set global.cert ファイル。詳細: {log}",
        "{what}: the certificate of the place it comes from was not accepted.\n"
        "Behind an organisation's proxy, tell pip that proxy's authority: "
        "pip config set global.cert FILE. Details: {log}",
    ),
    "disk": Text(
        "ディスクの空きが足りません({where}: 空き {free} MB、必要 {need} MB)。\n"
        "空きを作って同じ命令をもう一度実行してください。",
        "The disk is too full ({where}: {free} MB free, {need} MB needed).\n"
        "Make room and repeat your command.",
    ),
    "writing": Text(
        "{where} に書き込めません。\n"
        "自分のホームディレクトリなど、書き込める場所に置いてください。",
        "{where} cannot be written to.\nKeep the checkout where you may write, as in your home.",
    ),
    "step": Text(
        "{what} ができませんでした。最後の出力:\n{tail}\n"
        "全体は {log} にあります。直してから同じ命令をもう一度実行してください。",
        "This failed: {what}. Its last words:\n{tail}\n"
        "All of it is in {log}. Mend that and repeat your command.",
    ),
    "unknown": Text(
        "「{word}」という命令はありません。{guess}\n./kazasu --help で一覧を表示します。",
        "There is no command “{word}”. {guess}\n./kazasu --help lists them.",
    ),
    "chroot-rights": Text(
        "Debian 13 での確認には、root か、ユーザー名前空間と /etc/subuid の割り当てが必要です: "
        "{detail}\nroot で実行するか、管理者に次を頼んでください: "
        "sudo apt-get install --no-install-recommends uidmap && "
        "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}",
        "The run on Debian 13 needs root, or user namespaces with ids in /etc/subuid: {detail}\n"
        "Run it as root, or ask an administrator for: "
        "sudo apt-get install --no-install-recommends uidmap && "
        "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}",
    ),
    "relock-uv": Text(
        "uv が見つかりません。\n依存関係を決め直すときだけ必要です: pip install uv",
        "uv is not on the PATH.\nIt is needed only to resolve dependencies anew: pip install uv",
    ),
    "relock-failed": Text(
        "依存関係を決められません。\n{detail}", "The dependencies cannot be resolved.\n{detail}"
    ),
}
