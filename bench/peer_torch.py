"""The models of bench/workloads.h in PyTorch, and a comparison of the two.

    python bench/peer_torch.py                            both, in turns, as a table of ratios (make bench-peer VENV=DIR)
        [W1 ... W7] [--ours build/bench] [--precision highest high bf16] [--threads N] [--rounds N] [--seconds S] [--batch N]
        [--compile-limit S] [--mode MODE] [--clock wall|cpu] [--device cpu|cuda] [--json FILE]
    python bench/peer_torch.py --alone W1 --mode eager    one measurement in this process, as a line of JSON

Needs torch, torchvision and timm. Every measurement is a process of its own. PyTorch runs in all its modes once, and the rounds
compare with the fastest: eager; eager with channels last (convolutions) or with attention as plain products (`-math`, the others:
the fused kernel's backward is slow on CPUs); compiled. `high` is compared with PyTorch's
float32, `bf16` with its autocast. Images are counted once, whatever their views; median of the steps; median of the rounds.
"""
import argparse
import contextlib
import functools
import json
import os
import statistics
import subprocess
import sys
import time

BATCH = {"W1": 256, "W2": 128, "W3": 128, "W4": 128, "W5": 10, "W6": 64, "W7": 32}
CONVOLUTIONS = ("W4", "W5", "W6")
MODES = ("eager", "eager-math", "channels_last", "compile", "compile-math")
TARGET = {p: {w: a if w in ("W1", "W2", "W3", "W7") else b for w in BATCH} for p, a, b in (("highest", 1.5, 1.2), ("high", 3, 2), ("bf16", 2, 1.5))}


# ---- the models; imports are inside so that the comparison itself needs no torch ----
def sincos(dim, grid):
    """[1 + grid^2, dim]: sines and cosines of column and row; zeros for the class token."""
    import torch
    angle = torch.arange(grid).float()[:, None] * 10000 ** (-torch.arange(dim // 4).float() / (dim // 4))
    axis = torch.cat([angle.sin(), angle.cos()], 1)
    cells = torch.cat([axis[None].expand(grid, -1, -1), axis[:, None].expand(-1, grid, -1)], 2).reshape(grid * grid, dim)
    return torch.cat([torch.zeros(1, dim), cells])


def patchify(x, p):
    b, c, h, w = x.shape
    return x.reshape(b, c, h // p, p, w // p, p).permute(0, 2, 4, 3, 5, 1).reshape(b, (h // p) * (w // p), p * p * c)


def pick(x, ids):
    return x.gather(1, ids[..., None].expand(-1, -1, x.shape[2]))


def build(name):
    """The model of a workload as a module: views -> loss, W7: image -> features."""
    import timm
    import torch
    import torchvision
    from timm.models.vision_transformer import Block
    from torch import nn
    from torch.nn import functional as F

    class Mae(nn.Module):
        def __init__(self, dim=192, depth=12, heads=3, patch=4, grid=8, ddim=128, ddepth=4, dheads=4, ratio=0.75):
            super().__init__()
            self.patch, self.keep, self.ddim = patch, int(grid * grid * (1 - ratio)), ddim
            norm = functools.partial(nn.LayerNorm, eps=1e-6)
            blocks = lambda n, d, h: nn.Sequential(*[Block(d, h, qkv_bias=True, norm_layer=norm) for _ in range(n)])
            self.embed = nn.Conv2d(3, dim, patch, patch)
            self.cls, self.mask = nn.Parameter(torch.zeros(1, 1, dim)), nn.Parameter(torch.zeros(1, 1, ddim))
            self.register_buffer("pos", sincos(dim, grid)), self.register_buffer("dpos", sincos(ddim, grid))
            self.blocks, self.norm = blocks(depth, dim, heads), norm(dim)
            self.dembed, self.dblocks, self.dnorm = nn.Linear(dim, ddim), blocks(ddepth, ddim, dheads), norm(ddim)
            self.pred = nn.Linear(ddim, patch * patch * 3)

        def forward(self, x):
            target, x = patchify(x, self.patch), self.embed(x).flatten(2).transpose(1, 2) + self.pos[1:]
            order = torch.rand(x.shape[0], x.shape[1]).argsort(1)
            keep, hidden = order[:, :self.keep], order[:, self.keep:]
            x = torch.cat([(self.cls + self.pos[0]).expand(x.shape[0], -1, -1), pick(x, keep)], 1)
            x = self.dembed(self.norm(self.blocks(x)))
            full = torch.cat([x[:, 1:], self.mask.to(x.dtype).expand(x.shape[0], hidden.shape[1], -1)], 1)
            full = pick(full, order.argsort(1))
            x = self.dblocks(torch.cat([x[:, :1], full], 1) + self.dpos)[:, 1:]
            return F.mse_loss(self.pred(self.dnorm(pick(x, hidden))), pick(target, hidden)) # hidden patches alone, as ours

    class Apl(nn.Module):
        def __init__(self, grid=7, side=96, heads=16, depth=4, mult=3, dropout=0.15):
            super().__init__()
            self.grid, self.patch = grid, side // grid
            self.k = self.patch - 1
            dim = 3 * self.k * self.k
            self.blocks = nn.ModuleList([nn.TransformerEncoderLayer(dim, heads, mult * dim, dropout, batch_first=True) for _ in range(depth)])
            for b in self.blocks:
                b.self_attn.dropout = 0.0
            self.head = nn.Linear(dim, grid * grid)

        def forward(self, x):
            b, g, p, n = x.shape[0], self.grid, self.patch, self.grid * self.patch
            x = x[:, :, :n, :n].reshape(b, 3, g, p, g, p)[:, :, :, :self.k, :, :self.k].permute(0, 2, 4, 1, 3, 5).reshape(b, g * g, -1)
            drop = torch.rand(b, g * g) < 0.1
            x = x.masked_fill(drop[..., None], 0)
            for block in self.blocks:
                x = block(x)
            target = torch.arange(g * g).expand(b, -1).masked_fill(drop, -100)
            return F.cross_entropy(self.head(x).flatten(0, 1).float(), target.flatten())

    class RandSac(nn.Module):
        def __init__(self, dim=192, heads=3, depth=6, ddepth=4, patch=4, grid=8, m=2):
            super().__init__()
            self.patch, self.grid, self.m, self.mm = patch, grid, m, m * m
            kw = dict(dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
            self.pos, self.embed = nn.Parameter(0.02 * torch.randn(grid * grid, dim)), nn.Linear(patch * patch * 3, dim)
            self.encoder = nn.ModuleList([nn.TransformerEncoderLayer(dim, heads, 4 * dim, **kw) for _ in range(depth)])
            self.decoder = nn.ModuleList([nn.TransformerDecoderLayer(dim, heads, 4 * dim, **kw) for _ in range(ddepth)])
            self.norm, self.dnorm = nn.LayerNorm(dim), nn.LayerNorm(dim)
            self.skip, self.out = nn.Linear(depth, ddepth), nn.Linear(dim, patch * patch * 3)
            q = torch.arange(grid * grid - self.mm) // self.mm
            self.register_buffer("blocked", q[None] > q[:, None])
            cell = torch.arange(grid * grid).reshape(grid // m, m, grid // m, m).permute(0, 2, 1, 3).reshape(-1, self.mm)
            self.register_buffer("cells", cell) # [segments, patches of each]

        def forward(self, x):
            patches = patchify(x, self.patch)
            order = self.cells[torch.rand(x.shape[0], len(self.cells)).argsort(1)].flatten(1)
            rest = order[:, self.mm:]
            x, levels = pick(self.embed(patches) + self.pos, order[:, :-self.mm]), []
            for block in self.encoder:
                x = block(x, src_mask=self.blocked)
                levels.append(self.norm(x))
            memory = self.skip(torch.stack(levels, -1))
            x = self.pos[rest]
            for i, block in enumerate(self.decoder):
                x = block(x, memory[..., i], tgt_mask=self.blocked, memory_mask=self.blocked)
            target = pick(patches, rest)
            target = (target - target.mean(-1, keepdim=True)) / (target.var(-1, keepdim=True) + 1e-6).sqrt()
            return F.mse_loss(self.out(self.dnorm(x)).float(), target)

    def resnet(depth, cifar):
        net = getattr(torchvision.models, f"resnet{depth}")(weights=None)
        if cifar:
            net.conv1, net.maxpool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()
        net.fc = nn.Identity()
        return net

    class SimClr(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(resnet(18, True), nn.Linear(512, 2048), nn.ReLU(), nn.Linear(2048, 128))

        def forward(self, a, b):
            z = F.normalize(torch.cat([self.net(a), self.net(b)]).float(), dim=1)
            n = len(z) // 2
            s = (z @ z.T / 0.2).masked_fill(torch.eye(2 * n, dtype=torch.bool), float("-inf"))
            return F.cross_entropy(s, torch.arange(2 * n).roll(n))

    class PixPro(nn.Module):
        """A ResNet read at layer4 and after pooling, two projectors, a copy of all three that follows, predictor and propagation."""
        def __init__(self, hidden=2048, out=256):
            super().__init__()
            mlp = lambda i, lin, bn: nn.Sequential(lin(i, hidden), bn(hidden), nn.ReLU(inplace=True), lin(hidden, out))
            conv = lambda i, o: nn.Conv2d(i, o, 1)
            def side():
                net = resnet(50, False)
                body = nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool, net.layer1, net.layer2, net.layer3, net.layer4)
                return nn.ModuleList([body, mlp(2048, conv, nn.BatchNorm2d), mlp(2048, nn.Linear, nn.BatchNorm1d)])
            self.online, self.target = side(), side().requires_grad_(False)
            self.predictor, self.transform = mlp(out, nn.Linear, nn.BatchNorm1d), nn.Conv2d(out, out, 1)

        def view(self, x):
            h = x.shape[2]
            r = h * (0.6 + 0.2 * torch.rand(1).item())
            n = int(r)
            y0, x0 = (int(torch.rand(1).item() * (h - n)) for _ in range(2))
            x = F.interpolate(x[:, :, y0:y0 + n, x0:x0 + n], size=(h, h), mode="nearest")
            place = (torch.arange(8) + 0.5) * n / 8 - 0.5
            y, c = (p.clamp(0, n - 1) + o for p, o in ((place, y0), (place, x0)))
            if torch.rand(1).item() < 0.25:
                x, c = x.flip(3), c.flip(0)
            places = torch.stack([y[:, None].expand(8, 8), c[None].expand(8, 8)], -1).reshape(64, 2)
            return x, places * 8 / (2 ** 0.5 * h)

        @staticmethod
        def project(side, x):
            f = side[0](x)
            return side[1](f).flatten(2).transpose(1, 2).float(), side[2](f.mean((2, 3))).float() # [B,64,256], [B,256]

        def propagate(self, x):
            s = F.normalize(x, dim=-1)
            s = (s @ s.transpose(1, 2)).clamp(min=0) ** 2
            return s @ F.linear(x, self.transform.weight[:, :, 0, 0], self.transform.bias)

        def forward(self, a, b):
            (a, pa), (b, pb) = self.view(a), self.view(b)
            (x1, i1), (x2, i2) = self.project(self.online, a), self.project(self.online, b)
            with torch.no_grad():
                (z1, j1), (z2, j2) = self.project(self.target, a), self.project(self.target, b)
            cos = lambda u, v: F.normalize(u, dim=-1) @ F.normalize(v, dim=-1).transpose(1, 2)
            byol = lambda p, z: (2 - 2 * F.cosine_similarity(p.float(), z)).mean()
            near = (torch.cdist(pa, pb) < 0.7).float()
            pixel = (cos(self.propagate(x1), z2) + cos(z1, self.propagate(x2))) * near
            return byol(self.predictor(i1), j2) + byol(self.predictor(i2), j1) - 0.5 * pixel.sum() / (len(a) * near.sum().clamp(min=1))

        def follow(self):
            with torch.no_grad():
                for t, o in zip(self.target.parameters(), self.online.parameters()):
                    t.lerp_(o, 0.01)

    class Cpc(nn.Module):
        def __init__(self, patch=8, stride=4, hidden=256, blocks=5, dim=64):
            super().__init__()
            self.patch, self.stride, self.dim = patch, stride, dim
            self.net = resnet(18, True)
            self.target, self.pred = nn.Conv2d(512, dim, 1), nn.Conv2d(512, dim, 1)
            self.context = nn.ModuleList([nn.ModuleList([nn.Conv2d(512, hidden, 1), nn.Conv2d(hidden, hidden, (1, 3)),
                                                         nn.Conv2d(hidden, hidden, (2, 1), padding=(0, 1)), nn.Conv2d(hidden, 512, 1)]) for _ in range(blocks)])

        def forward(self, x):
            b, p = len(x), self.patch
            x = x.unfold(2, p, self.stride).unfold(3, p, self.stride)
            g = x.shape[2]
            z = self.net(x.permute(0, 2, 3, 1, 4, 5).reshape(-1, 3, p, p)).reshape(b, g, g, -1).permute(0, 3, 1, 2)
            c = z
            for one, wide, down, back in self.context:
                y = F.pad(wide(F.relu(one(c))), (0, 0, 1, 0), value=1.0)
                c = c + back(F.relu(down(y)))
            targets = self.target(z).permute(0, 2, 3, 1).reshape(-1, self.dim)
            preds = 0.1 * self.pred(F.relu(c)).permute(0, 2, 3, 1)
            place, loss = torch.arange(b * g * g).reshape(b, g, g), 0
            for i in range(1, g - 1):
                logits = preds[:, :g - i - 1].reshape(-1, self.dim) @ targets.T
                loss = loss + i * F.cross_entropy(logits.float(), place[:, i + 1:].reshape(-1))
            return loss

    make = {"W1": Mae, "W2": Apl, "W3": RandSac, "W4": SimClr, "W5": PixPro, "W6": Cpc,
            "W7": lambda: timm.create_model("vit_small_patch16_224", num_classes=0).eval()}
    return make[name]()


# ---- one measurement ----
def peak_mb():
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) / 1024 for line in f if line.startswith("VmHWM"))


def alone(a):
    import torch
    a.mode = a.mode or "eager"
    torch.set_num_threads(a.threads)
    torch.set_default_device(a.device) # models, images and what a step draws
    torch.manual_seed(0)
    if a.device == "cuda" and a.precision[0] == "high":
        torch.set_float32_matmul_precision("high")
    name, side, views = a.workloads[0], {"W2": 96, "W5": 256, "W7": 224}.get(a.workloads[0], 32), 2 if a.workloads[0] in ("W4", "W5") else 1
    batch = a.batch or BATCH[name]
    import timm, torchvision # noqa: F401  what a program that trains one of these has loaded
    base = peak_mb()
    model, images = build(name), [2 * torch.rand(batch, 3, side, side) - 1 for _ in range(views)]
    if a.mode == "channels_last":
        model = model.to(memory_format=torch.channels_last)
        images = [x.contiguous(memory_format=torch.channels_last) for x in images]
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = {"W1": lambda: torch.optim.AdamW(weights, 1e-4, (0.9, 0.95), weight_decay=0.05, fused=True),
                 "W3": lambda: torch.optim.AdamW(weights, 1e-4, (0.9, 0.95), weight_decay=0.05, fused=True),
                 "W4": lambda: torch.optim.SGD(weights, 1e-4, momentum=0.9, fused=True), "W7": lambda: None,
                 "W6": lambda: torch.optim.Adam(weights, 1e-4, (0.8, 0.999), fused=True)}.get(name, lambda: torch.optim.Adam(weights, 1e-4, fused=True))()
    run = torch.compile(model) if a.mode.startswith("compile") else model
    attention = torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH) if a.mode.endswith("math") else contextlib.nullcontext()

    def step():
        with torch.set_grad_enabled(optimizer is not None), torch.autocast(a.device, torch.bfloat16, enabled=a.precision[0] == "bf16"):
            loss = run(*images)
        if optimizer is None:
            return float(loss[0, 0])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if name == "W5":
            model.follow()
        return float(loss.detach())

    times, clock = [], time.process_time if a.clock == "cpu" else time.perf_counter
    with attention:
        for _ in range(3 if a.mode.startswith("compile") else 2):
            step()
        while len(times) < 3 or (sum(times) < a.seconds and len(times) < 200):
            start = clock()
            loss = step()
            times.append(clock() - start)
    assert loss == loss and abs(loss) < 1e30, loss
    peak = torch.cuda.max_memory_allocated() / 2**20 if a.device == "cuda" else peak_mb() # of the GPU without the driver's own
    print(json.dumps({"name": name, "precision": a.precision[0], "mode": a.mode, "threads": a.threads, "batch": batch,
                      "peer_images_per_s": round(batch / statistics.median(times), 2), "peer_peak_mb": round(peak, 1), "peer_base_mb": round(base, 1), "loss": round(loss, 4), "steps": len(times)}))


# ---- the comparison ----
def run_peer(a, name, precision, mode, limit=None):
    """A row of PyTorch, or None if it failed or took too long."""
    command = [sys.executable, __file__, "--alone", name, "--mode", mode, "--precision", precision, "--threads", str(a.threads), "--seconds", str(a.seconds), "--batch", str(a.batch), "--clock", a.clock, "--device", a.device]
    env = dict(os.environ, OMP_NUM_THREADS=str(a.threads))
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=limit, env=env)
    except subprocess.TimeoutExpired:
        print(f"  {name} {precision} {mode}: not ready after {limit:.0f} s", file=sys.stderr)
        return None
    if done.returncode:
        print(f"  {name} {precision} {mode}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


def run_ours(a, name, precision):
    path = f"{a.ours}.{os.getpid()}.json"
    command = [a.ours, "train", name, "--precision", precision, "--threads", str(a.threads), "--seconds", str(a.seconds), "--batch", str(a.batch), "--clock", a.clock, "--device", a.device, "--json", path]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=dict(os.environ, OMP_NUM_THREADS=str(a.threads)))
    with open(path) as f:
        row = json.load(f)[0]
    os.remove(path)
    return row


def fastest_mode(a, name, precision):
    rows = [run_peer(a, name, precision, m) for m in ("eager", "channels_last" if name in CONVOLUTIONS else "eager-math")]
    rows = [r for r in rows if r]
    if not rows:
        raise SystemExit(f"{name}: PyTorch does not run")
    best = max(rows, key=lambda r: r["peer_images_per_s"])
    if a.compile_limit > 0:
        compiled = run_peer(a, name, precision, "compile-math" if best["mode"] == "eager-math" else "compile", a.compile_limit)
        best = max([best] + [compiled] * bool(compiled), key=lambda r: r["peer_images_per_s"])
    return best["mode"]


def compare(a, name):
    """Rounds of ours and theirs in turns: one row for each precision."""
    peers = sorted({"bf16" if p == "bf16" else "highest" for p in a.precision}, reverse=True)
    mode = {p: a.mode or fastest_mode(a, name, p) for p in peers}
    ours, theirs = {p: [] for p in a.precision}, {p: [] for p in peers}
    for _ in range(a.rounds):
        for p in a.precision:
            ours[p].append(run_ours(a, name, p))
        for p in peers:
            theirs[p].append(run_peer(a, name, p, mode[p]))
    for p in a.precision:
        q = "bf16" if p == "bf16" else "highest"
        mid = lambda rows, key: statistics.median(r[key] for r in rows)
        row = dict(ours[p][-1])
        for key in ("images_per_s", "gflops", "ceiling_gflops", "percent", "peak_mb"):
            row[key] = mid(ours[p], key)
        row.update(peer_mode=mode[q], peer_images_per_s=mid(theirs[q], "peer_images_per_s"), peer_peak_mb=mid(theirs[q], "peer_peak_mb"),
                   peer_base_mb=mid(theirs[q], "peer_base_mb"))
        row["ratio"] = round(row["images_per_s"] / row["peer_images_per_s"], 3)
        yield row


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("workloads", nargs="*", metavar="W1 ... W7")
    p.add_argument("--alone", action="store_true")
    p.add_argument("--mode", choices=MODES, help="of PyTorch, instead of the fastest")
    p.add_argument("--ours", default="build/bench")
    p.add_argument("--precision", nargs="+", default=["highest", "high", "bf16"], choices=list(TARGET))
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--batch", type=int, default=0)
    p.add_argument("--rounds", type=int, default=2)
    p.add_argument("--seconds", type=float, default=5)
    p.add_argument("--compile-limit", type=float, default=300, help="seconds that a compiled model may take to be measured; 0: eager alone")
    p.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    p.add_argument("--clock", default="wall", choices=("wall", "cpu"), help="cpu: time that a process had a processor, for one thread on a busy machine")
    p.add_argument("--json")
    a = p.parse_args()
    if bad := [w for w in a.workloads if w not in BATCH]:
        p.error(f"unknown workload {bad[0]}: take some of {' '.join(BATCH)}")
    if a.alone:
        return alone(a)
    rows = []
    print(f"{'':3} {'precision':9} {'th':>2} {'images/s':>9} {'peer':>9} {'ratio':>6} {'target':>6} {'GFLOP/s':>8} {'of top':>6} {'MB':>6} {'peer MB':>7}  PyTorch", flush=True)
    for name in a.workloads or BATCH:
        for r in compare(a, name):
            rows.append(r)
            print(f"{name:3} {r['precision']:9} {r['threads']:2d} {r['images_per_s']:9.1f} {r['peer_images_per_s']:9.1f} {r['ratio']:6.2f} {TARGET[r['precision']][name]:6.1f} "
                  f"{r['gflops']:8.1f} {r['percent']:5.1f}% {r['peak_mb']:6.0f} {r['peer_peak_mb']:7.0f}  {r['peer_mode']}", flush=True)
            if a.json:
                with open(a.json, "w") as f:
                    f.write("[" + ",\n ".join(json.dumps(x) for x in rows) + "]\n")


if __name__ == "__main__":
    main()
