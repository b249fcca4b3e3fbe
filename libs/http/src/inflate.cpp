#include "inflate.hpp"

#include <zlib.h>

#include <algorithm>
#include <new>

namespace coursegate::http {

struct inflate::state
{
    z_stream z{};
};

inflate::inflate() : state_(std::make_unique<state>())
{
    if (inflateInit2(&state_->z, 16 + MAX_WBITS) != Z_OK) // 16: gzip, not zlib
        throw std::bad_alloc();
}

inflate::~inflate()
{
    inflateEnd(&state_->z);
}

inflate::outcome inflate::feed(std::string_view bytes, std::string& out, std::size_t most)
{
    auto& z = state_->z;
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    z.avail_in = static_cast<uInt>(bytes.size());
    started_ = started_ || !bytes.empty();
    for (;;) {
        if (ended_) {
            // A gzip body may be several streams one after another.
            if (z.avail_in == 0)
                return outcome::ok;
            ended_ = false;
            if (inflateReset(&z) != Z_OK)
                return outcome::broken;
        }
        const auto before = out.size();
        const auto room =
            std::min(std::clamp<std::size_t>(bytes.size() * 4, 4 * 1024, 256 * 1024), most - before + 1);
        out.resize(before + room);
        z.next_out = reinterpret_cast<Bytef*>(out.data() + before);
        z.avail_out = static_cast<uInt>(room);
        const int code = ::inflate(&z, Z_NO_FLUSH);
        out.resize(before + room - z.avail_out);
        if (out.size() > most)
            return outcome::too_large;
        if (code == Z_STREAM_END)
            ended_ = true;
        else if (code != Z_OK && code != Z_BUF_ERROR)
            return outcome::broken;
        else if (z.avail_out > 0) // it has given all it can from this input
            return z.avail_in == 0 ? outcome::ok : outcome::broken;
    }
}

} // namespace coursegate::http
