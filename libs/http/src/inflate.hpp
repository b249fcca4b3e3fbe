// Decompressing a gzip body as it arrives (zlib).
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace coursegate::http {

class inflate
{
public:
    inflate();
    ~inflate();
    inflate(const inflate&) = delete;

    enum class outcome
    {
        ok,
        broken,   // not gzip, or damaged
        too_large // `out` would exceed `most`: a bomb is noticed before it has unpacked itself
    };

    // Appends what `bytes` decompress to.
    outcome feed(std::string_view bytes, std::string& out, std::size_t most);

    // The stream has come to its end with the right checksum; without it the body was cut.
    bool is_whole() const { return ended_ || !started_; }

private:
    struct state;
    std::unique_ptr<state> state_;
    bool started_ = false;
    bool ended_ = false;
};

} // namespace coursegate::http
