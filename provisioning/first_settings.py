"""A terminal's local settings file to begin with: complete as it is, with comments beside it.

It lies beside the identity folder, and both go onto the terminal together. The terminal refuses a
key it does not know, so what stands here is held by a test against the terminal itself.
"""

from pathlib import Path

from provisioning import authority_files as files
from provisioning.town import Town

NAME = "kazasu.toml"

_TEXT = """\
# 端末の設定: 身元・接続先・配線だけ。人や扉は公開文書で届きます。
# A terminal's settings: who it is, its broker, its wiring. People and doors are published.
# フォルダー identity と同じ場所に置きます。 Put it where the folder "identity" is.
# 確かめる / to check:  ./kazasu terminal --settings kazasu.toml --check

[terminal]
site = "{site}"
id = "{terminal}"
state = "state"                  # 記録の置き場 / records; made at the first start
identity = "identity"            # ./kazasu town terminal が作った鍵 / the keys made with this file

[broker]
host = "{host}"                  # 端末から見た接続先 / how this terminal reaches the broker
port = {port}
server_name = "{host}"           # 証明書の名前 / the name in the broker's certificate

[reader]
# slot = "pcsc"
# name = ""                      # 複数あるとき名前の一部 / part of its name, if there are several

[display]
# driver = "ssd1306"             # sh1106, ssd1309, none
# i2c_bus = 1
# i2c_address = 0x3C
# rotate = 0                     # 上下逆は 2 / 2 for upside down

[pins]                           # BCM 番号 / BCM numbers
# strike = 17
# strike_active = "high"         # 解錠する側 / the level that releases the door: high, low
# ring = 23
# cross = 24
# buzzer = 18
# buttons = [5, 6, 13, 19]
# exit = 26
"""


def ensure_settings(town: Town, terminal: str) -> Path:
    """Lay out the terminal's settings file; one that is there stays as it is."""
    path = town.terminal(terminal) / NAME
    if not path.exists():
        text = _TEXT.format(
            site=town.site, terminal=terminal, host=town.broker_names[0], port=town.broker_port
        )
        files.write_once(path, text.encode("utf-8"))
    return path
