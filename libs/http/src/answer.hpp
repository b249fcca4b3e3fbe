// Where a body goes while it is read: into one string (decompressed, bounded), or bit by bit to a callback.
#pragma once

#include "inflate.hpp"

#include "coursegate/http/client.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace coursegate::http {

class answer
{
public:
    enum class verdict
    {
        go_on,
        enough, // the reader wants no more: not an error
        too_large,
        bad_coding, // gzip that is broken or cut, or a coding nobody asked for
    };

    virtual ~answer() = default;

    int status = 0;
    http::headers headers;

    virtual verdict begin(std::optional<std::uint64_t> length) = 0; // head complete
    virtual verdict take(std::string_view bytes) = 0;
    virtual verdict finish() = 0;

    // Where bytes of a body without coding may be read to directly; null: take() them.
    virtual std::string* direct() { return nullptr; }

    // For the try after this one.
    virtual void reset()
    {
        status = 0;
        headers = {};
    }
};

class whole_answer final : public answer
{
public:
    explicit whole_answer(std::size_t most) : most_(most) {}

    verdict begin(std::optional<std::uint64_t> length) override;
    verdict take(std::string_view bytes) override;
    verdict finish() override;
    std::string* direct() override { return inflate_ ? nullptr : &body; }
    void reset() override;

    std::string body;

private:
    std::size_t most_;
    std::optional<inflate> inflate_;
};

class streamed_answer final : public answer
{
public:
    explicit streamed_answer(std::function<bool(std::string_view)> on_chunk) : on_chunk_(std::move(on_chunk))
    {}

    verdict begin(std::optional<std::uint64_t> length) override;
    verdict take(std::string_view bytes) override;
    verdict finish() override { return verdict::go_on; }

private:
    std::function<bool(std::string_view)> on_chunk_;
};

} // namespace coursegate::http
