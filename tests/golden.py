"""python3 tests/golden.py: writes tests/golden/*.safetensors, small recorded cases for build/conformance.

An oracle that shares nothing with ssl.h: every formula in plain loops over double-precision numbers that remember how they
were made, so that gradients follow by the chain rule. Inputs are exact float32 values. No packages needed.
"""
import json, math, os, random, struct

# ---- numbers that can be differentiated ----


class V:
    __slots__ = ("v", "g", "of")  # value, gradient, [(V, derivative by it)]

    def __init__(self, v, of=()):
        self.v, self.g, self.of = v, 0.0, of

    def __add__(a, b):
        b = num(b)
        return V(a.v + b.v, ((a, 1.0), (b, 1.0)))

    def __mul__(a, b):
        b = num(b)
        return V(a.v * b.v, ((a, b.v), (b, a.v)))

    def __truediv__(a, b):
        b = num(b)
        return V(a.v / b.v, ((a, 1.0 / b.v), (b, -a.v / b.v**2)))

    def __sub__(a, b):
        return a + num(b) * -1.0

    def __neg__(a):
        return a * -1.0

    __radd__, __rmul__ = __add__, __mul__


def num(x):
    return x if isinstance(x, V) else V(float(x))


def fn(x, value, derivative):
    return V(value, ((x, derivative),))


def exp(x):
    return fn(x, math.exp(x.v), math.exp(x.v))


def log(x):
    return fn(x, math.log(x.v), 1.0 / x.v)


def sqrt(x):
    return fn(x, math.sqrt(x.v), 0.5 / math.sqrt(x.v))


def relu(x):
    return fn(x, max(x.v, 0.0), 1.0 if x.v > 0 else 0.0)


def gelu(x):
    phi = 0.5 * (1.0 + math.erf(x.v / math.sqrt(2.0)))
    return fn(x, x.v * phi, phi + x.v * math.exp(-0.5 * x.v**2) / math.sqrt(2.0 * math.pi))


def total(values):
    values = list(values)
    return V(math.fsum(x.v for x in values), tuple((x, 1.0) for x in values))


def dot(a, b):
    return total(x * y for x, y in zip(a, b))


def backward(loss):
    order, stack, seen = [], [(loss, False)], set()
    while stack:
        x, done = stack.pop()
        if done:
            order.append(x)
        elif id(x) not in seen:
            seen.add(id(x))
            stack.append((x, True))
            stack.extend((p, False) for p, _ in x.of)
    loss.g = 1.0
    for x in reversed(order):
        for p, d in x.of:
            p.g += x.g * d


# ---- arrays are nested lists ----


def flat(x):
    return [y for part in x for y in flat(part)] if isinstance(x, list) else [x]


def shape(x):
    return [len(x)] + shape(x[0]) if isinstance(x, list) else []


def fold(values, dims):
    if len(dims) <= 1:
        return list(values)
    n = len(values) // dims[0]
    return [fold(values[i * n : (i + 1) * n], dims[1:]) for i in range(dims[0])]


def each(f, x):
    return [each(f, y) for y in x] if isinstance(x, list) else f(x)


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def normal(*dims, scale=1.0, shift=0.0):
    return fold([V(f32(shift + scale * random.gauss(0, 1))) for _ in range(math.prod(dims))], dims)


def constant(x):
    return each(lambda y: V(y.v), x)


# ---- files ----


class Case:
    """Collects tensors; `done` writes them with the gradients of the loss."""

    def __init__(self, name, group="ops", **settings):
        self.name, self.tensors, self.leaves = name, {}, []
        self.notes = {"fixture": name, "group": group, "rtol_out": "1e-05", "rtol_grad": "0.0001"}
        self.notes.update({k: str(v) for k, v in settings.items()})
        random.seed(name)

    def put(self, name, x, leaf=False):
        self.tensors[name] = x
        if leaf:
            self.leaves.append(name)
        return x

    def x(self, name, *dims, **how):  # a random input
        return self.put("in." + name, normal(*dims, **how), leaf=True)

    def w(self, name, *dims, scale=0.4, **how):  # a random parameter
        return self.put("param." + name, normal(*dims, scale=scale, **how), leaf=True)

    def same(self, name, *dims, **how):  # a parameter, made when it is first asked for
        return self.tensors.get("param." + name) or self.w(name, *dims, **how)

    def probe(self, name, y):  # y is an output; the loss is its product with random weights
        self.put("out." + name, y)
        p = self.put("in.probe", normal(*shape(y)))
        self.notes["loss_scale"] = repr(math.fsum(abs(a.v * b.v) for a, b in zip(flat(y), flat(p))))
        return total(a * b for a, b in zip(flat(y), constant(flat(p))))

    def done(self, loss=None):
        if loss is not None:
            self.put("out.loss", [loss])
            self.notes.setdefault("loss_scale", repr(abs(loss.v)))
            backward(loss)
            grads = {n: each(lambda y: y.g, self.tensors[n]) for n in self.leaves}
            self.notes["grad_scale"] = repr(max(math.sqrt(sum(g * g for g in flat(x))) for x in grads.values()))
            self.tensors.update({"grad." + n: x for n, x in grads.items()})
        header, data = {"__metadata__": self.notes}, b""
        for kind in (int, float, bool):
            for name, x in sorted(self.tensors.items()):
                values = [y.v if isinstance(y, V) else y for y in flat(x)]
                if type(values[0]) is not kind:
                    continue
                dtype, code = {int: ("I64", "q"), float: ("F32", "f"), bool: ("U8", "B")}[kind]
                raw = struct.pack("<%d%s" % (len(values), code), *values)
                header[name] = {"dtype": dtype, "shape": shape(x), "data_offsets": [len(data), len(data) + len(raw)]}
                data += raw
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        with open(os.path.join(os.path.dirname(__file__), "golden", self.name + ".safetensors"), "wb") as f:
            f.write(struct.pack("<Q", len(text)) + text + data)


# ---- layers: x is a list of rows unless said otherwise ----


def linear(x, w, b=None):
    return [[dot(r, wr) + (b[i] if b else 0.0) for i, wr in enumerate(w)] for r in x]


def layer_norm(x, w, b, eps=1e-5):
    rows = []
    for r in x:
        mean = total(r) / len(r)
        inv = V(1.0) / sqrt(total((v - mean) * (v - mean) for v in r) / len(r) + eps)
        rows.append([(v - mean) * inv * w[i] + b[i] for i, v in enumerate(r)])
    return rows


def softmax(r):
    top = max(v.v for v in r)
    e = [exp(v - top) for v in r]
    s = total(e)
    return [v / s for v in e]


def cross_entropy(rows, targets, smoothing=0.0):
    losses = []
    for r, t in zip(rows, targets):
        if t == -100:
            continue
        logp = [log(p) for p in softmax(r)]
        losses.append(logp[t] * (smoothing - 1.0) - total(logp) * (smoothing / len(r)))
    return total(losses) / len(losses)


def add(x, y):
    return [add(a, b) for a, b in zip(x, y)] if isinstance(x, list) else x + y


def attend(q, k, v, heads, blocked=None):
    """One sample: q [Tq][E], k and v [Tk][E]; returns the rows and the weights [heads][Tq][Tk]."""
    d = len(q[0]) // heads
    y, weights = [[] for _ in q], []
    for h in range(heads):
        part = slice(h * d, h * d + d)
        weights.append([])
        for i, qi in enumerate(q):
            scores = [dot(qi[part], kj[part]) / math.sqrt(d) + (-1e30 if blocked and blocked[i][j] else 0.0) for j, kj in enumerate(k)]
            a = softmax(scores)
            weights[h].append(a)
            y[i] += [total(a[j] * v[j][h * d + c] for j in range(len(k))) for c in range(d)]
    return y, weights


def self_attention(x, w, b, heads, blocked=None):
    e = len(x[0])
    qkv = linear(x, w, b)
    return attend([r[:e] for r in qkv], [r[e : 2 * e] for r in qkv], [r[2 * e :] for r in qkv], heads, blocked)


TIMM = ("norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2")
TORCH = ("norm1", "self_attn.in_proj_", "self_attn.out_proj", "norm2", "linear1", "linear2")


def block_params(case, prefix, names, d, hidden):
    p = []
    for name, (o, i) in zip(names, ((d, 0), (3 * d, d), (d, d), (d, 0), (hidden, d), (d, hidden))):
        dotted = prefix + name + ("" if name.endswith("_") else ".")
        p += [case.w(dotted + "weight", o, i) if i else case.w(dotted + "weight", o, scale=0.1, shift=1.0), case.w(dotted + "bias", o, scale=0.2)]
    return p


def pre_norm(x, p, heads, act=gelu, eps=1e-6):
    a = self_attention(layer_norm(x, p[0], p[1], eps), p[2], p[3], heads)[0]
    x = add(x, linear(a, p[4], p[5]))
    return add(x, linear(each(act, linear(layer_norm(x, p[6], p[7], eps), p[8], p[9])), p[10], p[11]))


def post_norm(x, p, heads, act=relu, eps=1e-5):
    a = self_attention(x, p[2], p[3], heads)[0]
    x = layer_norm(add(x, linear(a, p[4], p[5])), p[0], p[1], eps)
    return layer_norm(add(x, linear(each(act, linear(x, p[8], p[9])), p[10], p[11])), p[6], p[7], eps)


def conv(x, w, b=None, stride=1, pad=(0, 0)):
    """One image [C][H][W] with w [O][C][kh][kw]; zeros around it."""
    pad = (pad, pad) if isinstance(pad, int) else pad
    (c, h, width), (o, _, kh, kw) = shape(x), shape(w)
    taps = [(k, r, s) for k in range(c) for r in range(kh) for s in range(kw)]

    def at(m, i, j):
        inside = [(k, i * stride + r - pad[0], j * stride + s - pad[1], r, s) for k, r, s in taps]
        return total(w[m][k][r][s] * x[k][y][z] for k, y, z, r, s in inside if 0 <= y < h and 0 <= z < width) + (b[m] if b else 0.0)

    rows, columns = (h + 2 * pad[0] - kh) // stride + 1, (width + 2 * pad[1] - kw) // stride + 1
    return [[[at(m, i, j) for j in range(columns)] for i in range(rows)] for m in range(o)]


def trained_norm(case, name, x, eps, momentum):
    """Batch norm in training of a batch [N][C][H][W], and what becomes of the running statistics."""
    channels = len(x[0])
    w, b = case.w(name + ".weight", channels, scale=0.2, shift=1.0), case.w(name + ".bias", channels, scale=0.2)
    running = [case.put("buf." + name + ".running_mean", normal(channels)), case.put("buf." + name + ".running_var", normal(channels, scale=0.1, shift=1.0))]
    y, after = [[None] * channels for _ in x], [[], []]
    for k in range(channels):
        values = flat([n[k] for n in x])
        m = total(values) / len(values)
        v = total((a - m) * (a - m) for a in values) / len(values)
        for kind, now in ((0, m.v), (1, v.v * len(values) / (len(values) - 1))):
            after[kind].append((1 - momentum) * running[kind][k].v + momentum * now)
        scale = w[k] / sqrt(v + eps)
        for n, image in enumerate(x):
            y[n][k] = each(lambda a: (a - m) * scale + b[k], image[k])
    case.put("after.buf." + name + ".running_mean", after[0])
    case.put("after.buf." + name + ".running_var", after[1])
    return y


def patches(image, p, channel_first):
    """One image [C][H][W] -> rows of p p C values."""
    c, h, w = shape(image)
    rows = []
    for y in range(0, h, p):
        for x in range(0, w, p):
            index = [(k, i, j) for k in range(c) for i in range(p) for j in range(p)]
            if not channel_first:
                index = [(k, i, j) for i in range(p) for j in range(p) for k in range(c)]
            rows.append([image[k][y + i][x + j] for k, i, j in index])
    return rows


def sincos(dim, grid, cls):
    rows = [[0.0] * dim] if cls else []
    for y in range(grid):
        for x in range(grid):
            angles = [[pos / 10000 ** (k / (dim // 4)) for k in range(dim // 4)] for pos in (x, y)]
            rows.append([f(a) for half in angles for f in (math.sin, math.cos) for a in half])
    return rows


# ---- operators ----


def operators():
    c = Case("op_linear")
    x, w, b = c.x("x", 3, 2, 5), c.w("weight", 4, 5), c.w("bias", 4)
    c.done(c.probe("y", [linear(r, w, b) for r in x]))

    c = Case("op_matmul_tn", trans_a=1, trans_b=0)
    a, b = c.x("a", 2, 4, 3), c.x("b", 2, 4, 5)
    y = [[[dot([r[i] for r in m], [r[j] for r in n]) for j in range(5)] for i in range(3)] for m, n in zip(a, b)]
    c.done(c.probe("y", y))

    c = Case("op_mul_c", op="mul")
    a, b = c.x("a", 3, 1, 4), c.x("b", 1, 2, 1)
    c.done(c.probe("y", [[[v * t[0] for v in s[0]] for t in b[0]] for s in a]))

    c = Case("op_layer_norm_b", eps=1e-6)
    x, w, b = c.x("x", 2, 3, 7, shift=3.0), c.w("weight", 7), c.w("bias", 7)
    c.done(c.probe("y", [layer_norm(r, w, b, 1e-6) for r in x]))

    c = Case("op_gelu")
    c.done(c.probe("y", each(gelu, c.x("x", 5, 9, scale=2.0))))

    c = Case("op_softmax")
    c.done(c.probe("y", [softmax(r) for r in c.x("x", 4, 11, scale=20.0)]))

    c = Case("op_cross_entropy_d", label_smoothing=0.15, ignore_index=-100)
    targets = c.put("in.target", [2, -100, 0, 6, 6, -100, 1])
    c.done(cross_entropy(c.x("logits", 7, 7, scale=3.0), targets, 0.15))

    c = Case("op_gather_tokens")
    index, x = c.put("in.index", [[3, 0, 0], [4, 1, 3]]), c.x("x", 2, 5, 3)
    c.done(c.probe("y", [[r[i] for i in k] for r, k in zip(x, index)]))

    c = Case("op_unshuffle_tokens")
    ids, x = c.put("in.ids_shuffle", [[2, 0, 3, 1], [3, 2, 1, 0]]), c.x("x", 2, 4, 3)
    restore = c.put("out.ids_restore", [sorted(range(4), key=lambda j: r[j]) for r in ids])
    c.done(c.probe("y", [[r[i] for i in k] for r, k in zip(x, restore)]))

    for name, first in (("op_patchify_mae", False), ("op_patchify_unfold", True)):
        c = Case(name, patch_size=2)
        c.done(c.probe("y", [patches(i, 2, first) for i in c.x("imgs", 2, 3, 4, 6)]))

    c = Case("op_sincos2d_b", embed_dim=12, grid_size=3, cls_token=1)
    c.put("out.pos_embed", sincos(12, 3, 1))
    c.done()

    c = Case("op_mha_bool", embed_dim=8, num_heads=2, mask="bool")
    blocked = c.put("in.attn_mask", [[j in (i + 1, (3 * i) % 5) and j != i for j in range(5)] for i in range(5)])
    x, w, b = c.x("x", 2, 5, 8), c.w("in_proj_weight", 24, 8), c.w("in_proj_bias", 24)
    wo, bo = c.w("out_proj.weight", 8, 8), c.w("out_proj.bias", 8)
    both = [self_attention(s, w, b, 2, blocked) for s in x]
    c.put("out.attn", [a for _, a in both])
    c.done(c.probe("y", [linear(y, wo, bo) for y, _ in both]))

    c = Case("op_timm_block_a", dim=8, num_heads=2, mlp_ratio=2, ln_eps=1e-6, activation="gelu_erf", norm="pre")
    x, p = c.x("x", 2, 3, 8), block_params(c, "", TIMM, 8, 16)
    c.done(c.probe("y", [pre_norm(s, p, 2) for s in x]))

    c = Case("op_decoder_layer_post_relu", d_model=6, num_heads=2, ff_dim=5, ln_eps=1e-3, activation="relu", norm="post")
    x, memory, p = c.x("tgt", 2, 3, 6), c.x("memory", 2, 4, 6), block_params(c, "", TORCH, 6, 5)
    wc, bc = c.w("multihead_attn.in_proj_weight", 18, 6), c.w("multihead_attn.in_proj_bias", 18)
    wo, bo = c.w("multihead_attn.out_proj.weight", 6, 6), c.w("multihead_attn.out_proj.bias", 6)
    n3 = c.w("norm3.weight", 6, scale=0.1, shift=1.0), c.w("norm3.bias", 6)
    y = []
    for r, m in zip(x, memory):
        r = layer_norm(add(r, linear(self_attention(r, p[2], p[3], 2)[0], p[4], p[5])), p[0], p[1], 1e-3)
        q, kv = linear(r, wc[:6], bc[:6]), linear(m, wc[6:], bc[6:])
        r = layer_norm(add(r, linear(attend(q, [k[:6] for k in kv], [v[6:] for v in kv], 2)[0], wo, bo)), p[6], p[7], 1e-3)
        y.append(layer_norm(add(r, linear(each(relu, linear(r, p[8], p[9])), p[10], p[11])), *n3, 1e-3))
    c.done(c.probe("y", y))

    c = Case("op_encoder_layer_post_relu", d_model=8, num_heads=4, ff_dim=12, ln_eps=1e-5, activation="relu", norm="post")
    x, p = c.x("x", 2, 3, 8), block_params(c, "", TORCH, 8, 12)
    c.done(c.probe("y", [post_norm(s, p, 4) for s in x]))


def convolutions():
    c = Case("op_conv2d_groups", kernel="3,2", stride="2,1", padding="1,0", dilation=1, groups=2)
    x, w, b = c.x("x", 2, 4, 5, 4), c.w("weight", 6, 2, 3, 2), c.w("bias", 6)

    def at(image, k, i, j):
        return image[k][i][j] if 0 <= i < 5 and 0 <= j < 4 else V(0.0)

    y = [[[[total(w[o][k][r][s] * at(n, o // 3 * 2 + k, 2 * i + r - 1, j + s) for k in range(2) for r in range(3) for s in range(2)) + b[o]
            for j in range(3)] for i in range(3)] for o in range(6)] for n in x]
    c.done(c.probe("y", y))

    c = Case("op_batch_norm2d_train", train=1, eps=1e-5, momentum=0.3)
    x, w, b = c.x("x", 3, 2, 2, 3, shift=1.0), c.w("weight", 2), c.w("bias", 2)
    mean, var = c.put("buf.running_mean", normal(2)), c.put("buf.running_var", normal(2, scale=0.1, shift=1.0))
    y, state = [[[], []] for _ in x], [[], []]
    for k in range(2):
        values = flat([n[k] for n in x])
        m = total(values) / len(values)
        v = total((a - m) * (a - m) for a in values) / len(values)
        state[0].append(0.7 * mean[k].v + 0.3 * m.v)
        state[1].append(0.7 * var[k].v + 0.3 * v.v * len(values) / (len(values) - 1))
        for n in range(3):
            y[n][k] = each(lambda a: (a - m) / sqrt(v + 1e-5) * w[k] + b[k], x[n][k])
    c.put("after.buf.running_mean", state[0])
    c.put("after.buf.running_var", state[1])
    c.done(c.probe("y", y))


    c = Case("op_resnet_basic_down", stride=2, downsample=1, train=1, bn_eps=1e-3, bn_momentum=0.25, in_channels=2, planes=3)
    x = c.x("x", 2, 2, 4, 3)
    y = each(relu, trained_norm(c, "bn1", [conv(n, c.same("conv1.weight", 3, 2, 3, 3), None, 2, 1) for n in x], 1e-3, 0.25))
    y = trained_norm(c, "bn2", [conv(n, c.same("conv2.weight", 3, 3, 3, 3), None, 1, 1) for n in y], 1e-3, 0.25)
    down = trained_norm(c, "downsample.1", [conv(n, c.same("downsample.0.weight", 3, 2, 1, 1), None, 2, 0) for n in x], 1e-3, 0.25)
    c.done(c.probe("y", each(relu, add(y, down))))


# ---- optimizers ----


def optimizers():
    dims = {"w": (3, 5), "b": (7,)}
    steps, lr = 6, 0.02
    for name, settings in (("opt_adamw", dict(beta1=0.9, beta2=0.98, eps=1e-8, weight_decay=0.1)),
                           ("opt_sgd_nesterov", dict(momentum=0.8, nesterov=1, weight_decay=0.05)),
                           ("opt_sgd_dampening", dict(momentum=0.8, dampening=0.3, weight_decay=0.05)),
                           ("opt_lars", dict(momentum=0.9, trust_coefficient=0.03, weight_decay=0.02))):
        c = Case(name, "optim", lr=lr, steps=steps, **settings)
        s = {k: settings.get(k, 0.0) for k in ("beta1", "beta2", "eps", "weight_decay", "momentum", "trust_coefficient", "dampening", "nesterov")}
        for key, d in dims.items():
            p = c.put("param." + key, normal(*d))
            grads = c.put("in.grads." + key, normal(steps, *d, scale=0.3))
            x, m, v, path = [a.v for a in flat(p)], [0.0] * math.prod(d), [0.0] * math.prod(d), []
            for t in range(steps):
                g = [a.v for a in flat(grads[t])]
                if name == "opt_adamw":
                    x = [a * (1 - lr * s["weight_decay"]) for a in x]
                    m = [s["beta1"] * a + (1 - s["beta1"]) * b for a, b in zip(m, g)]
                    v = [s["beta2"] * a + (1 - s["beta2"]) * b * b for a, b in zip(v, g)]
                    x = [a - lr * (b / (1 - s["beta1"] ** (t + 1))) / (math.sqrt(e / (1 - s["beta2"] ** (t + 1))) + s["eps"]) for a, b, e in zip(x, m, v)]
                else:
                    lars = name == "opt_lars"
                    if not lars or len(d) > 1:
                        g = [a + s["weight_decay"] * b for a, b in zip(g, x)]
                    if lars and len(d) > 1:
                        q = s["trust_coefficient"] * math.hypot(*x) / math.hypot(*g)
                        g = [q * a for a in g]
                    m = [s["momentum"] * a + (1 - s["dampening"] if t else 1) * b for a, b in zip(m, g)]
                    x = [a - lr * (b + s["momentum"] * e if s["nesterov"] else e) for a, b, e in zip(x, g, m)]
                path += x
            c.put("out.traj." + key, fold(path, (steps,) + d))
            c.put("after.param." + key, fold(x, d))
            c.put("after." + {"opt_adamw": "exp_avg", "opt_lars": "mu"}.get(name, "momentum_buffer") + "." + key, fold(m, d))
        c.done()

    c = Case("clip_grad_norm_a", "optim", max_norm=0.7)
    g = {k: c.put("in.grad." + k, normal(*d)) for k, d in dims.items()}
    norm = c.put("out.total_norm", [math.hypot(*[a.v for x in g.values() for a in flat(x)])])[0]
    for k, x in g.items():
        c.put("out.clipped." + k, each(lambda a: a.v * 0.7 / (norm + 1e-6), x))
    c.done()

    c = Case("lr_warmup_cosine", "optim", lr=0.3, min_lr=0.01, epochs=5, warmup_epochs=1.5)
    epoch = c.put("in.epoch", [f32(i / 4) for i in range(20)])
    c.put("out.lr", [0.3 * e / 1.5 if e < 1.5 else 0.01 + 0.29 * 0.5 * (1 + math.cos(math.pi * (e - 1.5) / 3.5)) for e in epoch])
    c.done()

    c = Case("lr_apl_chained", "optim", lr=0.01, epochs=45, start_factor=0.5, eta_min_ratio=0.1)
    rates, warm = [0.005], int(0.05 * 45)
    for t in range(1, 45):
        r = rates[-1] * (1 + 0.5 / (warm * 0.5 + (t - 1) * 0.5) if t <= warm else 1)
        rates.append((1 + math.cos(math.pi * t / 45)) / (1 + math.cos(math.pi * (t - 1) / 45)) * (r - 0.001) + 0.001)
    c.put("out.lr", rates)
    c.done()

    c = Case("ema_update", "optim", beta=0.9, steps=3)
    p, online = c.put("param.w", normal(2, 3)), c.put("in.online.w", normal(3, 2, 3))
    x, path = [a.v for a in flat(p)], []
    for t in range(3):
        x = [0.9 * a + 0.1 * b.v for a, b in zip(x, flat(online[t]))]
        path += x
    c.put("out.traj.w", fold(path, (3, 2, 3)))
    c.put("after.param.w", fold(x, (2, 3)))
    c.done()


# ---- objectives ----


def objectives():
    c = Case("nt_xent_standard", "objective", temperature=0.3, normalize_eps=1e-12)
    a, b = c.x("a", 4, 6), c.x("b", 4, 6)
    z = [[v / sqrt(dot(r, r)) for v in r] for r in a + b]
    losses = []
    for i in range(8):
        others = [j for j in range(8) if j != i]
        losses.append(-log(softmax([dot(z[i], z[j]) / 0.3 for j in others])[others.index((i + 4) % 8)]))
    c.done(total(losses) / 8)

    # APL: 2 x 2 grid of 6 x 6 patches cut to 4 x 4, a linear patch encoder, one pre-norm block, head to 4 places.
    c = Case("apl_linear_encoder", "objective", G=2, K=1, K_meaning="pixels removed on every side of a patch", activation="gelu", channels=3, crop_left=1,
             crop_top=1, cropped_size=4, d_model=8, ff_dim=12, final_norm=1, flatten_order="channel,row,column", image_size=12, ln_eps=1e-5, norm="pre",
             num_heads=2, num_layers=1, patch_dim=48, patch_encoder="linear", patch_size=6)
    images = c.x("images", 2, 3, 12, 12)
    we, be = c.w("patch_embed.weight", 8, 48, scale=0.15), c.w("patch_embed.bias", 8)
    p = block_params(c, "encoder.layers.0.", TORCH, 8, 12)
    wn, bn = c.w("encoder.norm.weight", 8, scale=0.1, shift=1.0), c.w("encoder.norm.bias", 8)
    wh, bh = c.w("head.weight", 4, 8), c.w("head.bias", 4)
    cut = [[[v for v, k in zip(r, range(108)) if 1 <= k // 6 % 6 < 5 and 1 <= k % 6 < 5] for r in patches(i, 6, True)] for i in images]
    c.put("out.patches", cut)
    logits = c.put("out.logits", [linear(layer_norm(pre_norm(linear(r, we, be), p, 2, gelu, 1e-5), wn, bn), wh, bh) for r in cut])
    c.put("out.target", [[0, 1, 2, 3]] * 2)
    c.put("out.top1", [sum(max(range(4), key=lambda k: r[k].v) == t for x in logits for t, r in enumerate(x)) / 8])
    c.done(cross_entropy(logits[0] + logits[1], [0, 1, 2, 3] * 2))

    apl_original()
    mae()
    mask_tokens()
    randsac()
    pairs()
    maps()
    pixels()


def apl_original():
    # 3 x 3 grid of 6 x 6 patches of a 20 x 20 image, 3 pixels cut per axis (2 of them before), one original block.
    c = Case("apl_original", "objective", G=3, K=3, K_meaning="pixels removed in total per axis", activation="relu", channels=2, crop_left=2, crop_top=2,
             cropped_size=3, d_model=18, flatten_order="channel,row,column", hidden_mult=2, image_size=20, ln_eps=1e-5, norm="post", num_heads=2,
             num_layers=1, patch_dim=18, patch_size=6, qkv_scale="d_model**-0.25 on each of q k v")
    e, pre = 18, "contextualize.0."
    images = c.put("in.images", normal(2, 2, 20, 20))
    drop = c.put("in.drop", [[n * 9 + t in (1, 5, 9, 16) for t in range(9)] for n in range(2)])
    wk, wq, wv = (c.w(pre + "attention." + n + ".weight", e, e) for n in ("W_k", "W_q", "W_v"))
    wu, bu = c.w(pre + "attention.W_u.weight", e, e), c.w(pre + "attention.W_u.bias", e)
    n1, n2 = ((c.w(pre + n + ".weight", e, scale=0.1, shift=1.0), c.w(pre + n + ".bias", e)) for n in ("norm1", "norm2"))
    f0, f2 = ((c.w(pre + n + ".weight", o, i), c.w(pre + n + ".bias", o)) for n, o, i in (("ff.0", 36, e), ("ff.2", e, 36)))
    wh, bh = c.w("head.weight", 9, e), c.w("head.bias", 9)
    cut, logits = [], []
    for image, dropped in zip(images, drop):
        whole = patches([[r[:18] for r in plane[:18]] for plane in image], 6, True)
        cut.append([[v for k, v in enumerate(r) if 2 <= k // 6 % 6 < 5 and 2 <= k % 6 < 5] for r in whole])
        x = [[V(0.0)] * e if d else r for r, d in zip(cut[-1], dropped)]
        q, k, v = ([[a / e**0.25 for a in r] for r in linear(x, w)] for w in (wq, wk, wv))
        q = [[a * math.sqrt(e // 2) for a in r] for r in q]  # attend divides by the root of the head's width
        x = layer_norm(add(x, linear(attend(q, k, v, 2)[0], wu, bu)), *n1)
        x = layer_norm(add(x, linear(each(relu, linear(x, *f0)), *f2)), *n2)
        logits += linear(x, wh, bh)
    c.put("out.patches", cut)
    c.put("out.logits", logits)
    ranks = [sum(a.v > r[i % 9].v for a in r) for i, r in enumerate(logits)]
    for k in (1, 3, 5):
        c.put("out.top%d" % k, [sum(r < k for r in ranks) / 18])
    c.done(cross_entropy(logits, [-100 if d else i % 9 for i, d in enumerate(flat(drop))]))


def mae():
    # MAE: 2 x 2 grid of 2 x 2 patches, 2 kept, widths 8 and 4, one block each, normalized targets.
    c = Case("mae_b", "objective", activation="gelu_erf", decoder_depth=1, decoder_embed_dim=4, decoder_num_heads=1, depth=1, embed_dim=8, image_size=4,
             ln_eps=1e-6, mask_ratio=0.5, mlp_ratio=2, norm="pre", norm_pix_eps=1e-6, norm_pix_loss=1, norm_pix_var="unbiased", num_heads=2, patch_size=2)
    images = c.x("images", 2, 3, 4, 4)
    noise = c.put("in.noise", normal(2, 4))
    shuffle = c.put("in.ids_shuffle", [sorted(range(4), key=lambda j: r[j].v) for r in noise])
    restore = c.put("out.ids_restore", [sorted(range(4), key=lambda j: r[j]) for r in shuffle])
    we, be = c.w("patch_embed.proj.weight", 8, 3, 2, 2), c.w("patch_embed.proj.bias", 8)
    cls, token = c.w("cls_token", 1, 1, 8), c.w("mask_token", 1, 1, 4)
    pos = c.put("param.pos_embed", [each(V, each(f32, sincos(8, 2, 1)))])[0]
    pos_d = c.put("param.decoder_pos_embed", [each(V, each(f32, sincos(4, 2, 1)))])[0]
    p, p_d = block_params(c, "blocks.0.", TIMM, 8, 16), block_params(c, "decoder_blocks.0.", TIMM, 4, 8)
    wn, bn = c.w("norm.weight", 8, scale=0.1, shift=1.0), c.w("norm.bias", 8)
    wd, bd = c.w("decoder_embed.weight", 4, 8), c.w("decoder_embed.bias", 4)
    wn_d, bn_d = c.w("decoder_norm.weight", 4, scale=0.1, shift=1.0), c.w("decoder_norm.bias", 4)
    wp, bp = c.w("decoder_pred.weight", 12, 4), c.w("decoder_pred.bias", 12)
    latent, pred, mask, losses, fixed = [], [], [], [], []
    for n, image in enumerate(images):
        tokens = add(linear(patches(image, 2, True), [flat(r) for r in we], be), pos[1:])
        x = [add(cls[0][0], pos[0])] + [tokens[k] for k in shuffle[n][:2]]
        latent.append(layer_norm(pre_norm(x, p, 2), wn, bn, 1e-6))
        y = linear(latent[n], wd, bd)
        y = [y[0]] + [(y[1:] + [token[0][0]] * 2)[k] for k in restore[n]]
        pred.append(linear(layer_norm(pre_norm(add(y, pos_d), p_d, 1), wn_d, bn_d, 1e-6), wp, bp)[1:])
        mask.append([1.0 if k >= 2 else 0.0 for k in restore[n]])
        for rows, into in ((patches(image, 2, False), losses), (constant(patches(image, 2, False)), fixed)):
            for l, r in enumerate(rows):
                m = total(r) / 12
                s = sqrt(total((v - m) * (v - m) for v in r) / 11 + 1e-6)
                if mask[n][l]:
                    into.append(total((a - (v - m) / s) * (a - (v - m) / s) for a, v in zip(pred[n][l], r)) / 12)
    for name, x in (("latent", latent), ("pred", pred), ("mask", mask)):
        c.put("out." + name, x)
    backward(total(fixed) / 4)
    c.put("grad_const_target.in.images", each(lambda v: v.g, images))
    forget(total(fixed + losses))
    c.done(total(losses) / 4)


def mask_tokens():
    # Mask tokens before the encoder: 3 x 3 patches of one pixel, 6 hidden, another mask for each image, two tokens, one block each.
    c = Case("mae_mask_token_c", "objective", activation="gelu_erf", decoder_depth=1, decoder_embed_dim=4, decoder_num_heads=1, depth=1, embed_dim=8, image_size=3,
             ln_eps=1e-5, mask_percent=0.7, mlp_ratio=2, norm="pre", num_heads=2, patch_size=1, num_mask_tokens=2, pixel_scale=8.0)
    images, perm, choice = c.x("images", 2, 3, 3, 3), c.put("in.perm", [[4, 0, 8, 1, 3, 7, 2, 6, 5], [1, 2, 3, 5, 7, 8, 0, 4, 6]]), c.put("in.token_index", [0, 1, 1, 0, 1, 0])
    pos = c.put("param.enc_embed", [each(V, each(f32, sincos(8, 3, 0)))])[0]
    pos_d = c.put("param.dec_embed", [each(V, each(f32, sincos(4, 3, 0)))])[0]
    tokens, we, be = c.w("masktokens", 1, 2, 8)[0], c.w("proj_enc.weight", 8, 3), c.w("proj_enc.bias", 8)
    p, p_d = block_params(c, "encoder.0.", TIMM, 8, 16), block_params(c, "decoder.0.", TIMM, 4, 8)
    wd, bd = c.w("proj_dec.weight", 4, 8), c.w("proj_dec.bias", 4)
    wn, bn = c.w("decoder_norm.weight", 4, scale=0.1, shift=1.0), c.w("decoder_norm.bias", 4)
    wp, bp = c.w("decoder_pred.weight", 3, 4), c.w("decoder_pred.bias", 3)
    seen, pred, errors = [], [], []
    for image, order in zip(images, perm):
        seen.append(patches(image, 1, True))
        x = linear(seen[-1], we, be)
        for place, token in zip(order, choice):
            x[place] = tokens[token]
        x = add(linear(pre_norm(add(x, pos), p, 2, gelu, 1e-5), wd, bd), pos_d)
        pred.append(linear(layer_norm(pre_norm(x, p_d, 1, gelu, 1e-5), wn, bn), wp, bp))
        errors += [(a - b) * (a - b) for place in order[:6] for a, b in zip(pred[-1][place], seen[-1][place])]
    c.put("out.patches", seen)
    c.put("out.pred", pred)
    c.put("out.masked", [order[:6] for order in perm])
    c.done(total(errors) * (64.0 / len(errors)))


def randsac():
    # RandSAC: 4 x 4 patches of one pixel in four squares, encoder and decoder of one and two layers; the sequence axis comes first.
    c = Case("randsac_b", "objective", M=2, activation="gelu", batch_first=0, channels=2, d_model=6, ff_dim=5, image_size=4, ln_eps=1e-4, norm="pre", norm_target=1,
             num_decoder_layers=1, num_encoder_layers=2, num_heads=2, patch_size=1)
    images, order = c.x("images", 2, 2, 4, 4), c.put("in.ids_shuffle", [[2, 0, 3, 1], [1, 3, 2, 0]])
    pos, wi, bi, wo, bo = flat_rows(c.w("pos", 1, 4, 4, 6)[0]), c.w("in_proj.weight", 6, 2), c.w("in_proj.bias", 6), c.w("out_proj.weight", 2, 6), c.w("out_proj.bias", 2)
    encoder = [block_params(c, "transformer.encoder.layers.%d." % i, TORCH, 6, 5) for i in range(2)]
    name = "transformer.decoder.layers.0."
    decoder = block_params(c, name, TORCH, 6, 5)
    wc, bc, wu, bu = (c.w(name + "multihead_attn." + n, *d) for n, d in (("in_proj_weight", (18, 6)), ("in_proj_bias", (18,)), ("out_proj.weight", (6, 6)), ("out_proj.bias", (6,))))
    n3, ne, nd = ((c.w(n + ".weight", 6, scale=0.1, shift=1.0), c.w(n + ".bias", 6)) for n in (name + "norm3", "transformer.encoder.norm", "transformer.decoder.norm"))
    skip, bias = c.w("transformer.skip_connection.weight", 1, 2)[0], c.w("transformer.skip_connection.bias", 1)[0]
    blocked = [[j // 4 > i // 4 for j in range(12)] for i in range(12)]
    outs, losses = {"patches": [], "memory": [], "pred": [], "target": []}, []
    for image, squares in zip(images, order):
        place = [(q // 2 * 2 + k // 2) * 4 + q % 2 * 2 + k % 2 for q in squares for k in range(4)]
        pixels_of = [patches(image, 1, False)[k] for k in place]
        where = [pos[k] for k in place]
        x, memory = add(linear(pixels_of, wi, bi), where)[:12], [[V(0.0)] * 6] * 12
        for level, p in enumerate(encoder):
            n = layer_norm(x, p[0], p[1], 1e-4)
            x = add(x, linear(self_attention(n, p[2], p[3], 2, blocked)[0], p[4], p[5]))
            x = add(x, linear(each(gelu, linear(layer_norm(x, p[6], p[7], 1e-4), p[8], p[9])), p[10], p[11]))
            memory = add(memory, each(lambda v: v * skip[level], layer_norm(x, *ne, 1e-4)))
        memory = each(lambda v: v + bias, memory)
        x, p = where[4:], decoder
        x = add(x, linear(self_attention(layer_norm(x, p[0], p[1], 1e-4), p[2], p[3], 2, blocked)[0], p[4], p[5]))
        q, kv = linear(layer_norm(x, p[6], p[7], 1e-4), wc[:6], bc[:6]), linear(memory, wc[6:], bc[6:])
        x = add(x, linear(attend(q, [k[:6] for k in kv], [v[6:] for v in kv], 2, blocked)[0], wu, bu))
        x = add(x, linear(each(gelu, linear(layer_norm(x, *n3, 1e-4), p[8], p[9])), p[10], p[11]))
        target = []
        for r in pixels_of[4:]:
            m = total(r) / 2
            s = sqrt(total((v - m) * (v - m) for v in r) + 1e-6)
            target.append([(v - m) / s for v in r])
        for key, rows in (("patches", pixels_of), ("memory", memory), ("pred", linear(layer_norm(x, *nd, 1e-4), wo, bo)), ("target", target)):
            outs[key].append(rows)
        losses += [(a - b) * (a - b) for a, b in zip(flat(outs["pred"][-1]), flat(target))]
    for key, rows in outs.items():  # [sequence][batch][width]; memory of the one decoder layer
        rows = [list(both) for both in zip(*rows)]
        c.put("out." + key, [rows] if key == "memory" else rows)
    c.done(total(losses) / len(losses))


def flat_rows(x):  # [..., D] -> rows of D
    return [x] if not isinstance(x[0], list) else [r for part in x for r in flat_rows(part)]


# ---- losses of pairs, of maps, of pixels ----


def cosine(a, b):
    return dot(a, b) / sqrt(dot(a, a) * dot(b, b))


def mean(values):
    values = list(values)
    return total(values) / len(values)


def columns(rows):
    return [list(k) for k in zip(*rows)]


def pairs():
    for name in ("byol", "simsiam"):
        c = Case(name, "objective")
        p1, p2, z1, z2 = c.x("p1", 4, 5), c.x("p2", 4, 5), c.put("in.z1", normal(4, 5)), c.put("in.z2", normal(4, 5))
        both = mean(map(cosine, p1, z2)) + mean(map(cosine, p2, z1))
        c.done(both * -2.0 + 4.0 if name == "byol" else both * -0.5)

    c = Case("barlow_twins", "objective", lambda_param=0.03, eps=1e-3)
    sides = []
    for x in (c.x("a", 5, 4), c.x("b", 5, 4)):
        sides.append([])
        for k in columns(x):
            m = mean(k)
            s = sqrt(mean((v - m) * (v - m) for v in k) + 1e-3)
            sides[-1].append([(v - m) / s for v in k])
    corr = [[dot(p, q) / 5 for q in sides[1]] for p in sides[0]]
    c.done(total((v - 1.0) * (v - 1.0) if i == j else v * v * 0.03 for i, r in enumerate(corr) for j, v in enumerate(r)))

    c = Case("vicreg", "objective", lambda_param=9.0, mu_param=4.0, nu_param=2.0, eps=1e-2)
    a, b = c.x("a", 5, 4, scale=0.5), c.x("b", 5, 4, scale=0.5)
    variance = covariance = V(0.0)
    for x in (a, b):
        centered = [[v - mean(k) for v in k] for k in columns(x)]
        variance += mean(relu(-sqrt(dot(k, k) / 4 + 1e-2) + 1.0) for k in centered) * 0.5
        for i, p in enumerate(centered):
            for j, q in enumerate(centered):
                if i != j:
                    covariance += dot(p, q) * dot(p, q) / (16 * 4)
    invariance = mean((p - q) * (p - q) for p, q in zip(flat(a), flat(b)))
    for name, x in (("invariance", invariance), ("variance", variance), ("covariance", covariance)):
        c.put("out." + name, [x])
    c.done(invariance * 9.0 + variance * 4.0 + covariance * 2.0)

    c = Case("dino", "objective", student_temp=0.2, teacher_temp=0.06, center_momentum=0.8)
    student, teacher, center = c.x("student", 3, 2, 5), c.put("in.teacher", normal(2, 2, 5)), c.put("buf.center", normal(1, 1, 5, scale=0.1))
    losses = []
    for t in range(2):
        for s in range(3):
            for n in range(2):
                q = softmax([(v - k) / 0.06 for v, k in zip(teacher[t][n], center[0][0])])
                if s != t:
                    losses.append(-total(log(p) * k for p, k in zip(softmax([v / 0.2 for v in student[s][n]]), q)))
    c.put("after.buf.center", [[[0.8 * k.v + 0.2 * sum(teacher[t][n][i].v for t in range(2) for n in range(2)) / 4 for i, k in enumerate(center[0][0])]]])
    c.done(mean(losses))

    c = Case("moco_queue", "objective", temperature=0.2, queue_size=7)
    q, k, queue = c.x("query", 3, 4), c.put("in.key", normal(3, 4)), c.put("buf.queue", [[v.v / math.hypot(*[u.v for u in r]) for v in r] for r in normal(7, 4)])
    queue = c.put("buf.queue", each(f32, queue))
    c.put("buf.queue_ptr", [2])
    logits = [[cosine(a, b) / 0.2] + [dot([v / sqrt(dot(a, a)) for v in a], r) / 0.2 for r in queue] for a, b in zip(q, k)]
    c.put("out.logits", logits)
    unit = [[v.v / math.hypot(*[u.v for u in r]) for v in r] for r in k]
    c.put("after.buf.queue", queue[:2] + unit + queue[5:])
    c.put("after.buf.queue_ptr", [5])
    c.done(cross_entropy(logits, [0] * 3))


def amdim_nce(source, targets, clip):
    """source [B][D], targets [B][n][D] -> loss and regularizer."""
    n, root = len(targets[0]), math.sqrt(len(source[0]))
    score = [[[dot(s, t) / root for t in image] for image in targets] for s in source]
    reg = mean(v * v for v in flat(score)) * 0.05
    clipped = each(lambda v: fn(v, clip * math.tanh(v.v / clip), 1 - math.tanh(v.v / clip) ** 2), score)
    losses = []
    for b, row in enumerate(clipped):
        negatives = total(exp(v) for k, image in enumerate(row) if k != b for v in image)
        losses += [log(exp(row[b][j]) + negatives) - row[b][j] for j in range(n)]
    return mean(losses), reg


def maps():
    for name, clip in (("amdim_nce", 2.5), ("amdim_nce_wide", 100.0)):
        c = Case(name, "objective", tclip=clip)
        source, target = c.x("src", 3, 4), c.x("trg", 4, 6)
        c.put("in.mask", [[float(i == j) for j in range(3)] for i in range(3)])
        nce, reg = amdim_nce(source, [columns(target)[2 * b : 2 * b + 2] for b in range(3)], clip)
        c.put("out.nce", [nce])
        c.put("out.reg", [reg])
        c.done(nce + reg)

    c = Case("fmc_01_r0", "objective", comparisons="01, r0", tclip=3.0, bidirectional=1, num_maps=2)
    sides = (2, 3)
    anchor, positive = ([c.x("%s.%d" % (n, k), 2, 3, h, h) for k, h in enumerate(sides)] for n in ("anchor", "positive"))
    used, loc = c.put("in.maps_used", [[0, 1], [1, 0]]), c.put("in.loc", [[[3, 0], [1, 2]], [[8, 4], [0, 5]]])
    c.put("in.random_map", [1])
    losses, regs = [], []
    for (i, j), places in zip(used, loc):
        parts = [amdim_nce([flat_map(m)[p] for m, p in zip(x[i], at)], [flat_map(m) for m in y[j]], 3.0) for (x, y), at in zip(((anchor, positive), (positive, anchor)), places)]
        losses.append(mean(p[0] for p in parts))
        regs.append(mean(p[1] for p in parts))
    c.put("out.losses", losses)
    c.put("out.regularizer", [total(regs)])
    c.done(total(losses + regs))

    c = Case("cpc_b", "objective", channels=3, hidden_channels=2, num_blocks=1, target_dim=2, embed_scale=0.4, zero_grads="grad.param.target_cnn.bias")
    z = c.x("z", 2, 3, 4, 3)
    context = [pixelcnn(c, "context_cnn.", image, 2, 1) for image in z]
    target = [conv(image, c.same("target_cnn.weight", 2, 3, 1, 1), c.same("target_cnn.bias", 2)) for image in z]
    pred = [conv(image, c.same("pred_cnn.weight", 2, 3, 1, 1), c.same("pred_cnn.bias", 2)) for image in context]
    for name, x in (("context", context), ("targets", target), ("preds", pred)):
        c.put("out." + name, x)
    everything = [v for image in target for v in flat_map(image)]
    steps = []
    for i in (1, 2):
        rows, labels = [], []
        for n, image in enumerate(pred):
            for k, p in enumerate(flat_map(image)[: 3 * (3 - i)]):
                rows.append([dot(p, t) * 0.4 for t in everything])
                labels.append(12 * n + k + 3 * (i + 1))
        steps.append(cross_entropy(rows, labels))
    c.put("out.step_losses", steps)
    c.done(steps[0] + steps[1] * 2.0)


def flat_map(x):  # [C][H][W] -> H W vectors of C
    return columns([flat(k) for k in x])


def pixelcnn(c, prefix, z, hidden, blocks):
    ch = len(z)
    for b in range(blocks):
        w = [(c.same("%sblocks.%d.%d.weight" % (prefix, b, 2 * k), o, i, h, v), c.same("%sblocks.%d.%d.bias" % (prefix, b, 2 * k), o))
             for k, (o, i, h, v) in enumerate(((hidden, ch, 1, 1), (hidden, hidden, 1, 3), (hidden, hidden, 2, 1), (ch, hidden, 1, 1)))]
        x = conv(each(relu, conv(z, *w[0])), *w[1])
        x = conv([[[V(1.0)] * len(k[0])] + k for k in x], *w[2], pad=(0, 1))
        z = add(z, conv(each(relu, x), *w[3]))
    return each(relu, z)


def places(box, flip, image, size):
    """Rows and columns of the image over its diagonal, times the map's size, cut by the box and resized bilinearly."""
    diagonal = math.hypot(*image)
    axis = []
    for k in range(2):
        begin, n = box[2 * k], box[2 * k + 1] - box[2 * k]
        at = [min(max((i + 0.5) * n / size[k] - 0.5, 0.0), n - 1.0) + begin for i in range(size[k])]
        axis.append([v / diagonal * size[k] for v in (reversed(at) if k and flip else at)])
    return [[y, x] for y in axis[0] for x in axis[1]]


def pixels():
    settings = dict(image_h=20, image_w=14, proj_h=3, proj_w=2, distance_thres=0.6, pairwise_eps=1e-6)
    boxes = ([2, 15, 1, 12], 1), ([6, 19, 3, 14], 0)
    where = [places(b, f, (20, 14), (3, 2)) for b, f in boxes]
    distance = [[math.hypot(*[p - q + 1e-6 for p, q in zip(a, b)]) for b in where[1]] for a in where[0]]
    positive = [[d < 0.6 for d in r] for r in distance]
    c = Case("pixelcl_masks", "objective", **settings)
    for name, (b, f) in zip(("one", "two"), boxes):
        c.put("in.box_" + name, b)
        c.put("in.flip_" + name, [f])
    for name, x in (("coords_one", where[0]), ("coords_two", where[1]), ("distance", distance), ("positive_one_two", positive)):
        c.put("out." + name, x)
    c.put("out.num_positive", [sum(flat(positive))])
    c.done()

    for name in ("pixelcl_pixpro_loss", "pixelcl_contrast_loss"):
        contrast = "contrast" in name
        c = Case(name, "objective", similarity_temperature=0.4, **settings)
        c.put("in.positive_one_two", positive)
        x = [c.x(("proj_" if contrast else "propagated_") + n, 2, 3, 3, 2) for n in ("one", "two")]
        z = [c.put("in.target_" + n, normal(2, 3, 3, 2)) for n in ("one", "two")]
        losses = []
        for a, b in ((x[0], z[1]), (z[0], x[1])):
            scores = [(cosine(p, q), positive[i][j]) for m, n in zip(a, b) for i, p in enumerate(flat_map(m)) for j, q in enumerate(flat_map(n))]
            if contrast:
                e = [(exp(s / 0.4), near) for s, near in scores]
                losses.append(log(total(s for s, _ in e)) - log(total(s for s, near in e if near)))
            else:
                losses.append(-mean(s for s, near in scores if near))
        c.put("out.loss_one_two", [losses[0]])
        c.put("out.loss_two_one", [losses[1]])
        c.done(mean(losses))

    c = Case("pixelcl_ppm_2", "objective", chan=2, gamma=3, num_layers=2, bn_eps=1e-3, cos_eps=1e-8, zero_grads="grad.param.transform_net.0.bias")
    x = c.x("x", 2, 2, 2, 3)
    hidden = trained_norm(c, "transform_net.1", [conv(m, c.same("transform_net.0.weight", 2, 2, 1, 1), c.same("transform_net.0.bias", 2)) for m in x], 1e-3, 0.1)
    value = [conv(each(relu, m), c.same("transform_net.3.weight", 2, 2, 1, 1), c.same("transform_net.3.bias", 2)) for m in hidden]
    y = []
    for m, v in zip(x, value):
        rows, values = flat_map(m), flat_map(v)
        spread = [[relu(cosine(p, q)) for q in rows] for p in rows]
        y.append([fold([total(s * s * s * t[k] for s, t in zip(r, values)) for r in spread], (2, 3)) for k in range(2)])
    c.done(c.probe("y", y))


def forget(x):  # clear the gradients of everything below x
    stack = [x]
    while stack:
        y = stack.pop()
        if y.g is not None:
            y.g = None
            stack.extend(p for p, _ in y.of)
    stack = [x]
    while stack:
        y = stack.pop()
        if y.g is None:
            y.g = 0.0
            stack.extend(p for p, _ in y.of)


if __name__ == "__main__":
    operators()
    convolutions()
    optimizers()
    objectives()
