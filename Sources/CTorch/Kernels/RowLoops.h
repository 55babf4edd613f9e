// What is done row by row, or element by element.

namespace ctorch {
namespace {

void dropout(const Mask &mask, const float *source, float *target, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += Mask::blockSize) {
        F low, high;
        factors(mask, i / Mask::blockSize, low, high);
        store(target + i, load(source + i, end - i) * low, end - i);
        const int64_t j = i + lanes;
        if (j < end) store(target + j, load(source + j, end - j) * high, end - j);
    }
}

// MARK: Norms

/// The factors of the 16 elements from column `i` of a row on; `high` keeps those of the block's other half.
CTORCH_INLINE F rowFactors(const Mask &mask, int64_t row, int64_t width, int64_t i, F &high) {
    if (i % Mask::blockSize != 0) return high;
    F low;
    factors(mask, row * Mask::blocks(width) + i / Mask::blockSize, low, high);
    return low;
}

void norm(const NormRows &rows, int64_t begin, int64_t end) {
    const int64_t width = rows.width;
    const float reciprocalWidth = 1.0f / static_cast<float>(width);
    for (int64_t row = begin; row < end; ++row) {
        const float *x = rows.x + row * width;
        const float *residual = rows.residual ? rows.residual + row * width : nullptr;
        float *normalized = rows.normalized + (rows.keepsNormalized ? row * width : 0);
        F total = {}, high = {};
        for (int64_t i = 0; i < width; i += lanes) {
            const int64_t n = width - i;
            F h = load(x + i, n);
            if (rows.bias) h += load(rows.bias + i, n);
            if (rows.mask.threshold > 0) h *= rowFactors(rows.mask, row, width, i, high);
            if (residual) h += load(residual + i, n);
            store(normalized + i, h, n);
            total += h;
        }
        const float mean = sum(total) * reciprocalWidth;
        F squares = {};
        for (int64_t i = 0; i < width; i += lanes) {
            const F d = (load(normalized + i, width - i) - mean) * valid(width - i);
            squares += d * d;
        }
        const float variance = sum(squares) * reciprocalWidth;
        // An overflow must not end as rows of zeros: the loss has to show it.
        const float reciprocal =
            variance < INFINITY ? 1.0f / std::sqrt(variance + static_cast<float>(rows.epsilon)) : NAN;
        if (rows.keepsNormalized) rows.reciprocalDeviation[row] = reciprocal;
        float *y = rows.y + row * width;
        for (int64_t i = 0; i < width; i += lanes) {
            const int64_t n = width - i;
            const F unit = (load(normalized + i, n) - mean) * reciprocal;
            if (rows.keepsNormalized) store(normalized + i, unit, n);
            store(y + i, unit * load(rows.gain + i, n) + load(rows.shift + i, n), n);
        }
    }
}

void normBackward(const NormRowsBackward &rows, int64_t begin, int64_t end) {
    const int64_t width = rows.width;
    const float reciprocalWidth = 1.0f / static_cast<float>(width);
    for (int64_t row = begin; row < end; ++row) {
        const float *gradient = rows.gradient + row * width, *normalized = rows.normalized + row * width;
        F total = {}, product = {};
        for (int64_t i = 0; i < width; i += lanes) {
            const int64_t n = width - i;
            const F g = load(gradient + i, n), unit = load(normalized + i, n);
            const F scaled = g * load(rows.gain + i, n);
            total += scaled;
            product += scaled * unit;
            store(rows.dgain + i, load(rows.dgain + i, n) + g * unit, n);
            store(rows.dshift + i, load(rows.dshift + i, n) + g, n);
        }
        const float mean = sum(total) * reciprocalWidth, slope = sum(product) * reciprocalWidth;
        const float reciprocal = rows.reciprocalDeviation[row];
        F high = {};
        for (int64_t i = 0; i < width; i += lanes) {
            const int64_t n = width - i;
            const F scaled = load(gradient + i, n) * load(rows.gain + i, n);
            const F dh = (scaled - mean - load(normalized + i, n) * slope) * reciprocal;
            store(rows.dh + row * width + i, dh, n);
            F dx = dh;
            if (rows.mask.threshold > 0) dx *= rowFactors(rows.mask, row, width, i, high);
            if (rows.dx) store(rows.dx + row * width + i, dx, n);
            if (rows.dbias) store(rows.dbias + i, load(rows.dbias + i, n) + dx, n);
        }
    }
}

// MARK: Optimisation

void adam(const AdamRun &run, int64_t count) {
    for (int64_t i = 0; i < count; i += lanes) {
        const int64_t n = count - i;
        const F g = load(run.gradient + i, n) * run.gradientScale;
        const F m = load(run.firstMoment + i, n) * run.beta1 + g * run.rest1;
        const F v = load(run.secondMoment + i, n) * run.beta2 + g * g * run.rest2;
        store(run.firstMoment + i, m, n);
        store(run.secondMoment + i, v, n);
        const F p = load(run.parameter + i, n) - m * run.rate / (squareRoot(v) + run.epsilon);
        store(run.parameter + i, p * run.decay, n);
    }
}

// MARK: Activation

CTORCH_FUSED

/// Φ(z) and e^(-z²/2). Abramowitz and Stegun, 7.1.26, as in libtorch's own vectors: within 1.5e-7.
CTORCH_INLINE void normalDistribution(const F &z, F &cumulative, F &density) {
    const F x = z * 0.70710678118654752f;
    const F magnitude = (F)((I)x & 0x7fffffff);
    density = exponential(-(z * z) * 0.5f);
    const F t = 1.0f / (magnitude * 0.3275911f + 1.0f);
    F p = splat(1.061405429f);
    p = p * t - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    const F half = p * t * density * 0.5f;
    cumulative = select(x < splat(0), half, 1.0f - half);
}

void gelu(const float *x, const float *bias, float *y, int64_t width, int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
        for (int64_t i = 0; i < width; i += lanes) {
            const int64_t n = width - i;
            const F z = load(x + row * width + i, n) + load(bias + i, n);
            F cumulative, density;
            normalDistribution(z, cumulative, density);
            store(y + row * width + i, z * cumulative, n);
        }
    }
}

void geluBackward(
    const float *x, const float *bias, const float *gradient, float *dx, float *dbias, int64_t width, int64_t begin,
    int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
        for (int64_t i = 0; i < width; i += lanes) {
            const int64_t n = width - i, at = row * width + i;
            const F z = load(x + at, n) + load(bias + i, n);
            F cumulative, density;
            normalDistribution(z, cumulative, density);
            const F d = load(gradient + at, n) * (cumulative + z * density * 0.39894228040143268f);
            store(dx + at, d, n);
            store(dbias + i, load(dbias + i, n) + d, n);
        }
    }
}

CTORCH_UNFUSED

}  // namespace
}  // namespace ctorch
